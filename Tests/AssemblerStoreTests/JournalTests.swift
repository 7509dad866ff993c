import AssemblerStore
import Foundation
import GRDB
import Testing

@Suite("A change that was cut off where a store has no log yet (FM-21)")
struct JournalTests {
    /// Does half of a migration, on the disk, and is killed.
    private static func migrateHalf(_ path: String) throws {
        let connection = try DatabaseQueue(path: path)
        try connection.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE")
            try database.execute(
                sql: """
                    DROP INDEX attempt_by_order;
                    CREATE INDEX attempt_by_item ON attempt (order_number, item_index, lease_number);
                    PRAGMA user_version = 2;
                    UPDATE item_page SET checksum = randomblob(8), body = zeroblob(length(body));
                    """)
            kill(getpid(), SIGKILL)
        }
    }

    @Test("is undone before anything is read, and nothing is lost")
    func hotJournal() async throws {
        let kitchen = try Kitchen.copied(
            after: Sample.wholeLife(1) + Sample.accept(2, itemCount: 600, pageItemCount: 16, byteCount: 300))
        try kitchen.makeFirstVersion()
        let before = try kitchen.files
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = kitchen.path as String] in
            try JournalTests.migrateHalf(path)
        }
        let after = try kitchen.files
        try #require(after["tray.sqlite-journal"]?.isEmpty == false)
        try #require(after["tray.sqlite"] != before["tray.sqlite"])

        let store = try Store.open(path: kitchen.path)
        #expect(try kitchen.files == before)
        #expect(try store.list(status: nil, before: nil, countMax: 9).orders.count == 2)
        #expect(try store.standing().openItemCount == 600)
        let (incarnation, orders) = try store.begin(at: Sample.now)
        #expect(incarnation == 2)
        #expect(orders.map(\.accepted.id) == [Sample.id(2)])
        #expect(orders.first?.items.count == 600)
        try store.close()
        #expect(try Store.verify(path: kitchen.path).isSound)
    }

    /// Begins, and is killed in the midst of it, or soon after.
    private static func begin(path: String, killedAfter microseconds: UInt32) throws {
        let killer = Thread {
            usleep(microseconds)
            kill(getpid(), SIGKILL)
        }
        let store = try Store.open(path: path)
        killer.start()
        _ = try store.begin(at: Sample.now)
        sleep(10)
    }

    @Test(
        "a start on a copy of the first version is made again wherever it was killed",
        arguments: [0, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000])
    func killed(microseconds: UInt32) async throws {
        let kitchen = try Kitchen.copied(
            after: Sample.wholeLife(1) + Sample.accept(2, itemCount: 600, pageItemCount: 16, byteCount: 300))
        try kitchen.makeFirstVersion()
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = kitchen.path as String, microseconds = microseconds as UInt32] in
            try JournalTests.begin(path: path, killedAfter: microseconds)
        }
        let store = try Store.open(path: kitchen.path)
        #expect(try store.list(status: nil, before: nil, countMax: 9).orders.count == 2)
        #expect(try store.begin(at: Sample.now).orders.map(\.accepted.id) == [Sample.id(2)])
        try store.close()
        #expect(try Store.verify(path: kitchen.path).isSound)
    }

    @Test("of a program that is at work is left to it, and the start says what is in the way")
    func atWork() throws {
        let kitchen = try Kitchen.copied(
            after: Sample.accept(2, itemCount: 600, pageItemCount: 16, byteCount: 300))
        let store = try Store.open(path: kitchen.path)
        let before = try kitchen.bytes
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: kitchen.path, configuration: configuration)
        try other.inDatabase { database in
            try database.execute(sql: "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE")
            try database.execute(
                sql: "UPDATE item_page SET checksum = randomblob(8), body = zeroblob(length(body))")
        }
        let during = try kitchen.files
        try #require(during["tray.sqlite"] != Data(before))
        let error = #expect(throws: StoreError.self) { try store.begin(at: Sample.now) }
        guard case .busy = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try kitchen.files == during)
        try other.inDatabase { try $0.execute(sql: "ROLLBACK") }
        try other.close()
        #expect(try kitchen.bytes == before)
        #expect(try store.begin(at: Sample.now).orders.count == 1)
        try store.close()
        #expect(try Store.verify(path: kitchen.path).isSound)
    }

    @Test("a journal that SQLite has not begun to use is no change at all", arguments: [0, 1])
    func emptyJournal(firstByte: UInt8) throws {
        let kitchen = try Kitchen.copied(after: Sample.accept(1))
        try Data([firstByte] + [UInt8](repeating: 0, count: 511))
            .write(to: URL(filePath: kitchen.journalPath))
        let before = try kitchen.bytes
        let store = try Store.open(path: kitchen.path)
        #expect(try store.standing().runningOrderCount == 1)
        #expect(try kitchen.bytes == before)
        #expect(try kitchen.files.keys.sorted() == ["tray.sqlite"])
        #expect(try store.begin(at: Sample.now).orders.count == 1)
        try store.close()
        #expect(try Store.verify(path: kitchen.path).isSound)
    }

    @Test("is undone once: nothing of it stays, beside a log with content either")
    func besideLog() throws {
        let kitchen = try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
        let before = try kitchen.files
        let pageCount = try #require(UInt8(exactly: try kitchen.bytes.count / 4_096))
        try kitchen.writeJournal(ofPageCount: pageCount)
        let store = try Store.open(path: kitchen.path)
        #expect(try kitchen.files == before)
        #expect(try store.begin(at: Sample.now).orders.count == 2)
        try store.close()
    }

    @Test(
        "of which nothing says that it undoes nothing, a journal keeps a start from a store that somebody reads"
    )
    func damagedBesideReader() throws {
        let kitchen = try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
        let other = try DatabasePool(path: kitchen.path)
        try other.read { database in
            _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM tray_order")
            try Data([1] + [UInt8](repeating: 0, count: 511))
                .write(to: URL(filePath: kitchen.journalPath))
            let error = #expect(throws: StoreError.self) { try Store.open(path: kitchen.path) }
            guard case .busy = error else { Issue.record("\(String(describing: error))"); return }
        }
        try other.close()
        try Store.open(path: kitchen.path).close()
    }

    @Test("a journal that undoes nothing keeps no start from a store that somebody reads")
    func besideReader() throws {
        let kitchen = try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
        let other = try DatabasePool(path: kitchen.path)
        try other.read { database in
            #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM tray_order") == 2)
            try Data(repeating: 0, count: 512).write(to: URL(filePath: kitchen.journalPath))
            let store = try Store.open(path: kitchen.path)
            #expect(try store.begin(at: Sample.now).orders.count == 2)
            try store.commit(Sample.accept(3))
            try store.close()
        }
        try other.close()
        #expect(try kitchen.rowCount("tray_order") == 3)
        try Store.open(path: kitchen.path).close()
        #expect(try kitchen.files.keys.sorted() == ["tray.sqlite"])
    }
}
