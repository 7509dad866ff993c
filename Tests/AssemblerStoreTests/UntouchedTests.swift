import AssemblerCore
import AssemblerStore
import Foundation
import GRDB
import Testing
import Wire

@Suite("A store that is only looked at stays as it was (FM-22)")
struct UntouchedTests {
    struct Trouble: CustomTestStringConvertible {
        let testDescription: String
        let make: @Sendable (Kitchen) throws -> Void
    }

    static let troubles = [
        Trouble(testDescription: "text") { try Data("hello\n".utf8).write(to: URL(filePath: $0.path)) },
        Trouble(testDescription: "another application's") { kitchen in
            try FileManager.default.removeItem(atPath: kitchen.path)
            try kitchen.tamper("CREATE TABLE song (title TEXT); INSERT INTO song VALUES ('Tray')")
        },
        Trouble(testDescription: "a later version's") { try $0.tamper("PRAGMA user_version = 97") },
        Trouble(testDescription: "one with a later migration") {
            try $0.tamper("INSERT INTO grdb_migrations VALUES ('99')")
        },
        Trouble(testDescription: "one that does not know its migrations") {
            try $0.tamper("DELETE FROM grdb_migrations WHERE identifier = '1'")
        },
        Trouble(testDescription: "one without a table") { try $0.tamper("DROP TABLE assembler_start") },
        Trouble(testDescription: "without its end") { kitchen in
            try Data(try kitchen.bytes.prefix(20_000)).write(to: URL(filePath: kitchen.path))
        },
        Trouble(testDescription: "with a damaged row") {
            try $0.tamper("UPDATE item_page SET item_count = 2")
        },
        Trouble(testDescription: "with damaged pages") { kitchen in
            let file = try #require(FileHandle(forUpdatingAtPath: kitchen.path))
            try file.seek(toOffset: 8_192)
            try file.write(contentsOf: Data(repeating: 0xff, count: 24_576))
            try file.close()
        },
    ]

    @Test("a refused file is byte for byte what it was, and nothing is left beside it", arguments: troubles)
    func refused(trouble: Trouble) throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.accept(1, itemCount: 60, byteCount: 1_000))
        try store.close()
        try trouble.make(kitchen)
        let before = try kitchen.files
        #expect(throws: StoreError.self) { try kitchen.open() }
        #expect(try kitchen.files == before)
    }

    @Test("a store that was killed and is damaged keeps its log, too (FM-22)")
    func refusedWithLog() throws {
        let kitchen = try Kitchen.killed(
            after: Sample.accept(1, byteCount: 20_000), and: Sample.accept(2, byteCount: 20_000))
        var bytes = Data(try kitchen.bytes)
        let payload = try #require(bytes.range(of: Data(repeating: 2, count: 3_000)))
        bytes[payload.lowerBound + 1_000] ^= 1
        try bytes.write(to: URL(filePath: kitchen.path))
        let before = try kitchen.files
        #expect(before.keys.contains("tray.sqlite-wal"))
        let error = #expect(throws: StoreError.self) { try kitchen.open() }
        guard case .corrupt = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try kitchen.files == before)
    }

    @Test("a log without a whole commit stays beside a store that is refused", arguments: [0, 20, 2_000])
    func refusedWithEmptyLog(byteCount: Int) throws {
        let kitchen = try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
        try #require(truncate("\(kitchen.path)-wal", off_t(byteCount)) == 0)
        try kitchen.flip("item-1")
        let before = try kitchen.files
        #expect(before["tray.sqlite-wal"]?.count == byteCount)
        #expect(throws: StoreError.self) { try kitchen.open() }
        #expect(try kitchen.files == before)
        // Nor does looking take it away.
        try kitchen.flip("htem-1")
        try Store.open(path: kitchen.path).close()
        #expect(try kitchen.files.keys == before.keys)
    }

    /// Damage that reading does not see.
    static let hiddenTroubles = [
        Trouble(testDescription: "an index that a migration expects is missing") { kitchen in
            try kitchen.makeFirstVersion()
            try kitchen.tamper("DROP INDEX attempt_by_order")
        },
        Trouble(testDescription: "an index that a migration makes is there") { kitchen in
            try kitchen.makeFirstVersion()
            try kitchen.tamper("CREATE INDEX attempt_by_item ON attempt (item_index)")
        },
        Trouble(testDescription: "the table of starts cannot be written") { kitchen in
            let page = try DatabaseQueue(path: kitchen.path).read { database in
                try Int.fetchOne(
                    database, sql: "SELECT rootpage FROM sqlite_master WHERE name = 'assembler_start'")
            }
            let file = try #require(FileHandle(forUpdatingAtPath: kitchen.path))
            try file.seek(toOffset: UInt64(4_096 * (try #require(page) - 1)))
            try file.write(contentsOf: Data(repeating: 0xff, count: 4_096))
            try file.close()
        },
    ]

    @Test(
        "what only writing finds damaged is refused as it is, with a log, after a stop, and as a copy",
        arguments: hiddenTroubles, ["killed", "stopped", "copied"])
    func refusedForWriting(trouble: Trouble, state: String) throws {
        let kitchen =
            state == "copied"
            ? try Kitchen.copied(after: Sample.accept(1))
            : try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
        if state == "stopped" { try kitchen.open().close() }
        var log: Data?
        if state == "killed" {
            // The damage is done to the file, and the log has none of its pages.
            log = try kitchen.files["tray.sqlite-wal"]
            try FileManager.default.removeItem(atPath: "\(kitchen.path)-wal")
        }
        try trouble.make(kitchen)
        if state == "copied" { try kitchen.tamper("PRAGMA journal_mode = DELETE") }
        if let log { try log.prefix(2_000).write(to: URL(filePath: "\(kitchen.path)-wal")) }
        let before = try kitchen.files
        let store = try Store.open(path: kitchen.path)
        #expect(throws: StoreError.self) { try store.begin(at: Sample.now) }
        #expect(try store.list(status: nil, before: nil, countMax: 9).orders.count > 0)
        try store.close()
        #expect(try kitchen.files == before)
    }

    @Test(
        "a store of the first version is brought to this one, also where it is a copy",
        arguments: [false, true])
    func migrated(isCopy: Bool) throws {
        let kitchen = try Kitchen.copied(after: Sample.wholeLife(1) + Sample.accept(2))
        if !isCopy { try kitchen.open().close() }
        try kitchen.makeFirstVersion()
        if isCopy { try kitchen.tamper("PRAGMA journal_mode = DELETE") }
        let before = try kitchen.files
        let store = try Store.open(path: kitchen.path)
        #expect(try kitchen.files["tray.sqlite"] == before["tray.sqlite"])
        #expect(try store.begin(at: Sample.now).orders.map(\.accepted.id) == [Sample.id(2)])
        try store.close()
        #expect(try Store.verify(path: kitchen.path).isSound)
        let connection = try DatabaseQueue(path: kitchen.path)
        try connection.read { database in
            #expect(try Int.fetchOne(database, sql: "PRAGMA user_version") == 2)
            #expect(try String.fetchOne(database, sql: "PRAGMA journal_mode") == "wal")
            let indexes = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_master WHERE name LIKE 'attempt_by%'")
            #expect(indexes == ["attempt_by_item"])
        }
    }

    @Test("reading needs no file beside the store, changes none, and sees what stands in the log")
    func reading() throws {
        let kitchen = try Kitchen.killed(after: Sample.wholeLife(1), and: Sample.accept(2))
        let before = try kitchen.files
        let store = try Store.open(path: kitchen.path)
        #expect(try store.list(status: nil, before: nil, countMax: 9).orders.count == 2)
        #expect(try store.outcomes(of: Sample.id(1), after: 0, countMax: 9, bytesMax: 999).count == 3)
        let standing = try store.standing()
        #expect((standing.incarnation, standing.runningOrderCount, standing.openItemCount) == (2, 1, 3))
        #expect(try kitchen.files == before)
        try store.close()
        #expect(try kitchen.files == before)

        let again = try kitchen.open()
        #expect(try again.standing().incarnation == 3)
        try again.close()
        #expect(try Store.verify(path: kitchen.path).isSound)
    }

    @Test("where there is no store, an empty one is read, and none is made before it begins")
    func missing() throws {
        let kitchen = try Kitchen()
        let store = try Store.open(path: kitchen.path)
        #expect(try store.list(status: nil, before: nil, countMax: 9).orders.isEmpty)
        #expect(try kitchen.files.isEmpty)
        #expect(try store.begin(at: Sample.now).incarnation == 1)
        try store.commit(Sample.accept(1))
        try store.close()
        #expect(try Store.verify(path: kitchen.path).orderCount == 1)
    }

    @Test("a store whose making was interrupted is made to its end")
    func unfinished() throws {
        let kitchen = try Kitchen()
        try Store.open(path: kitchen.path).close()
        try kitchen.tamper("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = 1416782201")
        let store = try kitchen.open()
        try store.commit(Sample.accept(1))
        try store.close()
        #expect(try Store.verify(path: kitchen.path).orderCount == 1)
    }

    @Test(
        "a file that may not be written is refused before anything is made beside it",
        .enabled(if: geteuid() != 0))
    func permissions() throws {
        let kitchen = try Kitchen()
        try kitchen.open().close()
        try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: kitchen.path)
        let before = try kitchen.files
        let error = #expect(throws: StoreError.self) { try kitchen.open() }
        guard case .readOnly = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try kitchen.files == before)
    }

    @Test("the lock is held although the process could not be named, and an old name is not taken for it")
    func unnamedHolder() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try Data().write(to: URL(filePath: "\(kitchen.path).lock"), options: [])
        #expect(throws: StoreError.locked(path: kitchen.path, processID: nil)) { try kitchen.open() }
        try Data("77\n345\n".utf8).write(to: URL(filePath: "\(kitchen.path).lock"), options: [])
        #expect(throws: StoreError.locked(path: kitchen.path, processID: 77)) { try kitchen.open() }
        try store.close()
    }
}

extension Kitchen {
    /// Every file in the store's folder by its name, but for the lock.
    var files: [String: Data] {
        get throws {
            let folder = URL(filePath: path).deletingLastPathComponent()
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .filter { !$0.hasSuffix(".lock") }
            let contents = try names.map { try Data(contentsOf: folder.appending(path: $0)) }
            return Dictionary(uniqueKeysWithValues: zip(names, contents))
        }
    }

    /// Makes it what the first version of the tables was.
    func makeFirstVersion() throws {
        try tamper(
            """
            DROP INDEX attempt_by_item;
            CREATE INDEX attempt_by_order ON attempt (order_number);
            DELETE FROM grdb_migrations WHERE identifier = '2';
            PRAGMA user_version = 1;
            """)
    }

    /// A copy as `VACUUM INTO` makes it: without a log, and without the mark of one.
    static func copied(after changes: [Change]) throws -> Kitchen {
        let (living, copy) = (try Kitchen(), try Kitchen())
        let store = try living.open()
        try store.commit(changes)
        try store.close()
        try FileManager.default.createDirectory(
            at: URL(filePath: copy.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        try living.tamper("VACUUM INTO '\(copy.path)'")
        return copy
    }

    /// A store as a kill leaves it: the first changes stand in its file, the last in its log.
    static func killed(after first: [Change], and last: [Change]) throws -> Kitchen {
        let (living, dead) = (try Kitchen(), try Kitchen())
        var store = try living.open()
        try store.commit(first)
        try store.close()
        store = try living.open()
        try store.commit(last)
        try FileManager.default.createDirectory(
            at: URL(filePath: dead.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: living.path + suffix, toPath: dead.path + suffix)
        }
        try store.close()
        return dead
    }
}
