import AssemblerStore
import Foundation
import Testing

@Suite("A first start that was cut off (FM-22)")
struct FirstStartTests {
    /// A journal as SQLite begins the first of a new file: no page stood there before.
    /// Source: https://www.sqlite.org/fileformat2.html#the_rollback_journal
    private static let journal: [UInt8] = {
        let header: [UInt8] =
            [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7] + [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0]
            + [0, 0, 2, 0, 0, 0, 0x10, 0]
        return header + [UInt8](repeating: 0, count: 512 - header.count)
    }()

    @Test(
        "is begun anew, however much of the file was on the disk", arguments: [0, 512, 4_096], [false, true])
    func begunAnew(byteCount: Int, isHeaderThere: Bool) throws {
        let (kitchen, whole) = (try Kitchen(), try Kitchen())
        try whole.open().close()
        try FileManager.default.createDirectory(
            at: URL(filePath: kitchen.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        let header = isHeaderThere ? try whole.bytes.prefix(512) : [UInt8](repeating: 0, count: 512)[...]
        let file = (header + [UInt8](repeating: 0, count: 4_096)).prefix(byteCount)
        try Data(file).write(to: URL(filePath: kitchen.path))
        try Data(FirstStartTests.journal).write(to: URL(filePath: "\(kitchen.path)-journal"))
        for expected in 1...2 as ClosedRange<UInt32> {
            let store = try Store.open(path: kitchen.path)
            #expect(try store.begin(at: Sample.now).incarnation == expected)
            try store.commit(Sample.accept(UInt64(expected)))
            try store.close()
        }
        #expect(try kitchen.rowCount("tray_order") == 2)
        #expect(try Store.verify(path: kitchen.path).isSound)
    }

    @Test("leaves what is no file of SQLite's as it is, whatever lies beside it")
    func foreignFile() throws {
        let kitchen = try Kitchen()
        try FileManager.default.createDirectory(
            at: URL(filePath: kitchen.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("hello\n".utf8).write(to: URL(filePath: kitchen.path))
        try Data(FirstStartTests.journal).write(to: URL(filePath: "\(kitchen.path)-journal"))
        #expect(throws: StoreError.self) { try kitchen.open() }
        #expect(try kitchen.bytes == Array("hello\n".utf8))
    }
}
