import AssemblerStore
import Foundation
import GRDB
import Testing

@Suite("A first start that was cut off (FM-22)")
struct FirstStartTests {
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
        try kitchen.writeJournal(ofPageCount: 0)
        for expected in 1...2 as ClosedRange<UInt32> {
            let store = try Store.open(path: kitchen.path)
            #expect(try store.begin(at: Sample.now).incarnation == expected)
            try store.commit(Sample.accept(UInt64(expected)))
            try store.close()
        }
        #expect(try kitchen.rowCount("tray_order") == 2)
        #expect(try Store.verify(path: kitchen.path).isSound)
    }

    @Test("goes on where it has its marks and no table of its own yet", arguments: [false, true])
    func withoutTables(hasMigrations: Bool) throws {
        let kitchen = try Kitchen()
        try FileManager.default.createDirectory(
            at: URL(filePath: kitchen.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        let connection = try DatabaseQueue(path: kitchen.path)
        try connection.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = 0x54726179")
            try database.execute(sql: "PRAGMA journal_mode = WAL")
        }
        if hasMigrations {
            // As GRDB's migrator makes it, in a transaction of its own.
            try connection.write {
                try $0.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
            }
        }
        let pageCount = try connection.read { try Int.fetchOne($0, sql: "PRAGMA page_count") }
        #expect(pageCount == (hasMigrations ? 4 : 1))
        try connection.close()
        let store = try Store.open(path: kitchen.path)
        #expect(try store.begin(at: Sample.now).incarnation == 1)
        try store.commit(Sample.accept(1))
        try store.close()
        #expect(try Store.verify(path: kitchen.path).isSound)
    }

    @Test("is not what a store is taken for whose first page has lost its tables (FM-22)")
    func tablesLost() throws {
        let kitchen = try FirstStartTests.store(.stopped)
        var bytes = try kitchen.bytes
        // The header of the page, behind that of the file: no cells. Their number stands at 3, their begin at 5.
        for offset in 103..<107 { bytes[offset] = 0 }
        bytes[105] = 0x10
        try Data(bytes).write(to: URL(filePath: kitchen.path))
        let before = try kitchen.files
        let error = #expect(throws: StoreError.self) { try Store.open(path: kitchen.path) }
        guard case .corrupt = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try kitchen.files == before)
    }

    enum Beside: CaseIterable { case stopped, killed, copied, onlyLog }

    /// A whole store, which nobody was making when the journal was written.
    private static func store(_ state: Beside) throws -> Kitchen {
        switch state {
        case .killed: return try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
        case .copied: return try Kitchen.copied(after: Sample.accept(1))
        case .stopped, .onlyLog:
            let kitchen = try Kitchen()
            let store = try kitchen.open()
            try store.commit(Sample.accept(1))
            try store.close()
            if state == .onlyLog { try kitchen.moveAllIntoLog() }
            return kitchen
        }
    }

    @Test(
        "does not spoil a whole store that is put beside its journal: it is refused as it is (FM-22)",
        arguments: Beside.allCases, [0, 1] as [UInt8])
    func strayJournal(state: Beside, pageCount: UInt8) throws {
        let kitchen = try FirstStartTests.store(state)
        let name = kitchen.journalPath
        try kitchen.writeJournal(ofPageCount: pageCount)
        let before = try kitchen.files
        let error = #expect(throws: StoreError.self) { try kitchen.open() }
        #expect(error == .strayJournal(path: kitchen.path, journal: name))
        #expect(error?.description.contains("move \(name) away") == true)
        #expect(throws: StoreError.strayJournal(path: kitchen.path, journal: name)) {
            try Store.verify(path: kitchen.path)
        }
        #expect(try kitchen.files == before)
        try FileManager.default.removeItem(atPath: name)
        let store = try kitchen.open()
        let orders = try store.list(status: nil, before: nil, countMax: 9).orders
        #expect(orders.count == (state == .killed ? 2 : 1))
        try store.close()
    }

    @Test("a journal of a store that is gone is not thrown away for a new one", arguments: [false, true])
    func journalAlone(isFileThere: Bool) throws {
        let kitchen = try Kitchen()
        try FileManager.default.createDirectory(
            at: URL(filePath: kitchen.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        if isFileThere { try Data().write(to: URL(filePath: kitchen.path)) }
        try kitchen.writeJournal(ofPageCount: 9)
        let before = try kitchen.files
        #expect(throws: StoreError.strayJournal(path: kitchen.path, journal: kitchen.journalPath)) {
            try kitchen.open()
        }
        #expect(try kitchen.files == before)
    }

    @Test("a log of a store that is gone is not thrown away for a new one (FM-22)", arguments: [false, true])
    func logAlone(isFileThere: Bool) throws {
        let kitchen = try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
        let moved = "\(kitchen.folder)/elsewhere.sqlite"
        try FileManager.default.moveItem(atPath: kitchen.path, toPath: moved)
        if isFileThere { try Data().write(to: URL(filePath: kitchen.path)) }
        let (before, log) = (try kitchen.files, "\(kitchen.path)-wal")
        let error = #expect(throws: StoreError.self) { try kitchen.open() }
        #expect(error == .strayLog(path: kitchen.path, log: log))
        #expect(error?.description.contains("move \(log) away") == true)
        #expect(throws: StoreError.strayLog(path: kitchen.path, log: log)) {
            try Store.verify(path: kitchen.path)
        }
        #expect(try kitchen.files == before)
        try #require(rename(moved, kitchen.path) == 0)
        let store = try Store.open(path: kitchen.path)
        #expect(try store.begin(at: Sample.now).orders.count == 2)
        try store.close()
    }

    @Test("leaves what is no file of SQLite's as it is, whatever lies beside it")
    func foreignFile() throws {
        let kitchen = try Kitchen()
        try FileManager.default.createDirectory(
            at: URL(filePath: kitchen.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("hello\n".utf8).write(to: URL(filePath: kitchen.path))
        try kitchen.writeJournal(ofPageCount: 0)
        #expect(throws: StoreError.self) { try kitchen.open() }
        #expect(try kitchen.bytes == Array("hello\n".utf8))
    }
}

extension Kitchen {
    /// As where the store was killed before its log was folded for the first time.
    fileprivate func moveAllIntoLog() throws {
        let rest = try Kitchen()
        try FileManager.default.createDirectory(
            at: URL(filePath: rest.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        let content = try DatabaseQueue(path: path)
        try rest.tamper(
            """
            PRAGMA auto_vacuum = INCREMENTAL;
            PRAGMA application_id = \(0x5472_6179);
            PRAGMA journal_mode = WAL
            """)
        let connection = try DatabaseQueue(path: rest.path)
        try connection.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_autocheckpoint = 0") }
        try content.backup(to: connection)
        try content.close()
        for suffix in ["", "-wal"] {
            try Data(contentsOf: URL(filePath: rest.path + suffix)).write(to: URL(filePath: path + suffix))
        }
        try connection.close()
        #expect(try bytes.count == 4_096)
    }
}
