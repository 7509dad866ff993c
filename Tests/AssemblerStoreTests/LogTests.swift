import AssemblerStore
import Foundation
import Testing

@Suite("The log of a store (FM-22)")
struct LogTests {
    private static let headerByteCount = 32
    private static let frameByteCount = 4_120

    /// A store as a power cut leaves it after five commits, each an order of its own.
    private func cut() throws -> (kitchen: Kitchen, frameCount: Int) {
        let (living, dead) = (try Kitchen(), try Kitchen())
        let store = try living.open()
        for number in 1...5 { try store.commit(Sample.accept(UInt64(number), byteCount: 5_000)) }
        let bytes = try StoreBytes(path: living.path)
        try store.close()
        try FileManager.default.createDirectory(
            at: URL(filePath: dead.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        try bytes.write(to: dead.path)
        return (dead, (bytes.log.count - LogTests.headerByteCount) / LogTests.frameByteCount)
    }

    private func orderCount(_ kitchen: Kitchen) throws -> Int {
        let store = try Store.open(path: kitchen.path)
        defer { withExtendedLifetime(store) {} }
        return try store.begin(at: Sample.now).orders.count
    }

    @Test(
        "one bit of what was synced is not taken for the log's end, wherever it is",
        arguments: [0, 9, 16, 700])
    func changedBit(offset: Int) throws {
        let (kitchen, _) = try cut()
        var bytes = try StoreBytes(path: kitchen.path)
        bytes.log[LogTests.headerByteCount + 3 * LogTests.frameByteCount + offset] ^= 4
        try bytes.write(to: kitchen.path)
        let error = #expect(throws: StoreError.self) { try orderCount(kitchen) }
        let detail = "frame 4 of its log does not agree with its checksum"
        #expect(error == .corrupt(path: kitchen.path, detail: detail))
        #expect(try StoreBytes(path: kitchen.path) == bytes)
        #expect(try Store.verify(path: kitchen.path).problems.map(\.description).contains("log: \(detail)"))
    }

    @Test("one that cannot be read is not taken for none", arguments: [true, false], ["wal", "delete"])
    func unreadable(isFolder: Bool, mode: String) throws {
        let kitchen = try Kitchen.copied(after: Sample.accept(1))
        if mode == "wal" { try kitchen.open().close() }
        let log = "\(kitchen.path)-wal"
        if isFolder {
            try FileManager.default.createDirectory(atPath: log, withIntermediateDirectories: false)
        } else {
            // Opening it fails for root, too.
            try FileManager.default.createSymbolicLink(atPath: log, withDestinationPath: log)
        }
        let before = try kitchen.bytes
        let error = #expect(throws: StoreError.self) { try Store.open(path: kitchen.path) }
        guard case .inaccessible(_, let detail) = error else {
            Issue.record("\(String(describing: error))"); return
        }
        #expect(detail.contains("its log, \(log)"), "\(detail)")
        #expect(try kitchen.bytes == before)
    }

    @Test("a changed header is not taken for an empty log")
    func changedHeader() throws {
        let (kitchen, _) = try cut()
        var bytes = try StoreBytes(path: kitchen.path)
        bytes.log[17] ^= 1
        try bytes.write(to: kitchen.path)
        let error = #expect(throws: StoreError.self) { try orderCount(kitchen) }
        guard case .corrupt(_, let detail) = error else {
            Issue.record("\(String(describing: error))"); return
        }
        #expect(detail == "the header of its log does not agree with its checksum")
        #expect(try StoreBytes(path: kitchen.path) == bytes)
    }

    @Test("a last commit that was never finished is left out, in whichever of its sectors it is torn")
    func tornCommit() throws {
        let (kitchen, frameCount) = try cut()
        let bytes = try StoreBytes(path: kitchen.path)
        let end = LogTests.headerByteCount + frameCount * LogTests.frameByteCount
        for start in stride(from: end - 2 * LogTests.frameByteCount, to: end - 512, by: 512) {
            var torn = bytes
            for offset in start..<start + 512 { torn.log[offset] ^= 0xff }
            try torn.write(to: kitchen.path)
            #expect(try orderCount(kitchen) == 4)
        }
    }

    @Test("what an earlier log has left behind the end is not looked at")
    func leftovers() throws {
        let (kitchen, _) = try cut()
        let old = try StoreBytes(path: kitchen.path)
        let store = try Store.open(path: kitchen.path)
        #expect(try store.begin(at: Sample.now).orders.count == 5)
        try store.commit(Sample.accept(6))
        var bytes = try StoreBytes(path: kitchen.path)
        try store.close()
        bytes.log += old.log[bytes.log.count...]
        try bytes.write(to: kitchen.path)
        #expect(try orderCount(kitchen) == 6)
    }
}
