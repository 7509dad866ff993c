import AssemblerCore
import AssemblerStore
import Foundation
import Testing
import Wire

@Suite("A process killed in the middle of its commits")
struct KillTests {
    /// Commits round after round and reports each on `path`.log once it has returned, until it is killed.
    static func work(path: String, killedAfter delay: Duration) throws {
        let killer = Thread {
            usleep(UInt32(delay.components.attoseconds / 1_000_000_000_000))
            kill(getpid(), SIGKILL)
        }
        let store = try Store.open(path: path)
        _ = try store.begin(at: Sample.now)
        let log = try #require(FileHandle(forWritingAtPath: "\(path).log"))
        try log.seekToEnd()
        killer.start()
        var number =
            UInt64(
                try store.list(status: nil, before: nil, countMax: 1).orders.first?.name.dropFirst(6) ?? "0")
            ?? 0
        while true {
            number += 1
            try store.commit(
                Sample.accept(number, itemCount: 300) + [Sample.settle(number, Sample.outcome(1, index: 7))])
            try log.write(contentsOf: Data("\(number)\n".utf8))
            try store.tidy(budget: .milliseconds(5))
        }
    }

    @Test(
        "kill -9 loses no commit that returned, and leaves no half one (FM-21, FM-22)",
        arguments: [3, 20, 45, 71, 110])
    func killed(milliseconds: Int) async throws {
        let kitchen = try Kitchen()
        let path = kitchen.path
        try FileManager.default.createDirectory(
            atPath: "\(kitchen.folder)/data", withIntermediateDirectories: true)
        #expect(FileManager.default.createFile(atPath: "\(path).log", contents: nil))
        for _ in 1...2 {
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, milliseconds] in
                try KillTests.work(path: path, killedAfter: .milliseconds(milliseconds))
            }
        }
        let text = try String(contentsOfFile: "\(path).log", encoding: .utf8)
        let acknowledged = text.split(separator: "\n").compactMap { UInt64($0) }
        let store = try Store.open(path: path)
        let orders = try store.begin(at: Sample.now).orders
        let ids = Set(orders.map(\.accepted.id))
        #expect(acknowledged.allSatisfy { ids.contains(Sample.id($0)) })
        #expect(orders.allSatisfy { $0.isSealed && $0.items.count == 300 && $0.lastLanding == 1 })
        #expect(try Store.verifyAfterClosing(store).isSound)
    }
}
