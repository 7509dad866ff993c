import AssemblerCore
import AssemblerStore
import Foundation
import GRDB
import Testing
import Wire

@Suite("A store whose files are removed or replaced under it loses nothing")
struct DisplacedTests {
    struct Mishap: CustomTestStringConvertible {
        let testDescription: String
        let happen: @Sendable (Kitchen) throws -> Void
    }

    static let mishaps = [
        Mishap(testDescription: "the file removed") { try FileManager.default.removeItem(atPath: $0.path) },
        Mishap(testDescription: "all its files removed") { kitchen in
            for suffix in ["", "-wal", "-shm"] {
                try FileManager.default.removeItem(atPath: kitchen.path + suffix)
            }
        },
        Mishap(testDescription: "its folder removed") {
            try FileManager.default.removeItem(at: URL(filePath: $0.path).deletingLastPathComponent())
        },
        Mishap(testDescription: "the file moved away") {
            try FileManager.default.moveItem(atPath: $0.path, toPath: "\($0.folder)/elsewhere")
        },
        Mishap(testDescription: "another store moved onto it") { kitchen in
            let other = try Kitchen.killed(after: Sample.accept(77), and: Sample.accept(78))
            for suffix in ["", "-wal"] {
                #expect(rename(other.path + suffix, kitchen.path + suffix) == 0)
            }
        },
    ]

    @Test(
        "what was committed is saved beside it, and the next start finds every order there",
        arguments: mishaps)
    func rescued(mishap: Mishap) throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.wholeLife(1) + Sample.accept(2, itemCount: 300))
        try store.checkInPlace()
        try mishap.happen(kitchen)
        let there = (try? kitchen.files) ?? [:]  // nothing, where the folder is gone
        let error = try #require(throws: StoreError.self) { try store.checkInPlace() }
        guard case .displaced(_, _, .copied(let copy)) = store.rescue(from: error) else {
            Issue.record("\(store.rescue(from: error))")
            return
        }
        #expect(copy == "\(kitchen.path).rescued")
        // What took its place is none of ours.
        var now = try kitchen.files.filter { $0.key != "tray.sqlite.rescued" }
        // But a log without its file would spoil whatever is put there next.
        if let log = now.removeValue(forKey: "tray.sqlite.rescued-log") {
            #expect(now["tray.sqlite-wal"] == nil)
            now["tray.sqlite-wal"] = log
        }
        for (name, content) in there where name != "tray.sqlite-shm" {
            #expect(now[name] == content, "\(name)")
        }
        #expect(Set(now.keys).isSubset(of: there.keys))

        let next = try Store.open(path: copy)
        let (incarnation, orders) = try next.begin(at: Sample.now)
        #expect(incarnation == 2)
        #expect(orders.map(\.accepted.id) == [Sample.id(2)])
        #expect(try next.summary(of: Sample.id(1))?.status == .complete)
        try next.close()
        #expect(try Store.verify(path: copy).isSound)
        try expectMarks(copy)
    }

    /// What makes a file a store, and lets it be kept small.
    private func expectMarks(_ path: String) throws {
        let connection = try DatabaseQueue(path: path)
        let marks = try connection.read { database in
            try ["application_id", "user_version", "auto_vacuum"].map {
                try Int.fetchOne(database, sql: "PRAGMA \($0)")
            }
        }
        #expect(marks[0] == 0x5472_6179 && marks[2] == 2, "incremental")
        let migrations = try connection.read {
            try String.fetchAll($0, sql: "SELECT identifier FROM grdb_migrations")
        }
        #expect(migrations.count == marks[1])
    }

    @Test("a store whose log alone was removed is whole again in its own file")
    func logRemoved() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.accept(1))
        try FileManager.default.removeItem(atPath: "\(kitchen.path)-wal")
        let error = try #require(throws: StoreError.self) { try store.checkInPlace() }
        guard case .displaced(_, _, .inPlace) = store.rescue(from: error) else {
            Issue.record("it is elsewhere")
            return
        }
        #expect(try kitchen.files.keys.sorted() == ["tray.sqlite"])
        let next = try Store.open(path: kitchen.path)
        #expect(try next.begin(at: Sample.now).orders.count == 1)
        try next.close()
    }

    @Test(
        "what took the place of a store that was only read keeps its log (FM-22)", arguments: [true, false])
    func replacedWhileRead(isMarked: Bool) throws {
        let kitchen = isMarked ? try Kitchen() : try Kitchen.copied(after: Sample.accept(1))
        if isMarked {
            let first = try kitchen.open()
            try first.commit(Sample.accept(1))
            try first.close()
        }
        #expect(try kitchen.files.keys.sorted() == ["tray.sqlite"])
        let store = try Store.open(path: kitchen.path)
        let other = try Kitchen.killed(after: Sample.accept(77), and: Sample.accept(78))
        for suffix in ["", "-wal"] {
            #expect(rename(other.path + suffix, kitchen.path + suffix) == 0)
        }
        let before = try kitchen.files
        let error = try #require(throws: StoreError.self) { try store.checkInPlace() }
        guard case .displaced(_, _, .copied(let copy)) = store.rescue(from: error) else {
            Issue.record("it was not saved")
            return
        }
        #expect(try kitchen.files.filter { $0.key != "tray.sqlite.rescued" } == before)
        for (path, numbers) in [(kitchen.path, [77, 78]), (copy, [1])] as [(String, [UInt64])] {
            let next = try Store.open(path: path)
            #expect(try next.begin(at: Sample.now).orders.map(\.accepted.id) == numbers.map(Sample.id))
            try next.close()
        }
    }

    @Test(
        "a log that was made to read only is taken away again, unless another reads, too",
        arguments: [false, true])
    func readLog(isShared: Bool) throws {
        let kitchen = try Kitchen()
        try kitchen.open().close()
        let before = try kitchen.files
        #expect(before.keys.sorted() == ["tray.sqlite"])
        let store = try Store.open(path: kitchen.path)
        let other = try isShared ? DatabaseQueue(path: kitchen.path) : nil
        try other?.inDatabase { try $0.execute(sql: "SELECT count(*) FROM assembler_start") }
        try store.close()
        if let other {
            #expect(try kitchen.files.keys.sorted() == ["tray.sqlite", "tray.sqlite-shm", "tray.sqlite-wal"])
            try other.inDatabase { try $0.execute(sql: "UPDATE assembler_start SET at_ms = 7") }
            #expect(try kitchen.files["tray.sqlite-wal"]?.isEmpty == false)
            try other.close()
            #expect(try Store.verify(path: kitchen.path).isSound)
        } else {
            #expect(try kitchen.files == before)
        }
    }

    @Test("the log of a store that was put there as a copy, without one, is watched, too")
    func logOfCopyRemoved() throws {
        let kitchen = try Kitchen.copied(after: Sample.accept(1))
        let store = try kitchen.open()
        try store.checkInPlace()
        try FileManager.default.removeItem(atPath: "\(kitchen.path)-wal")
        let error = try #require(throws: StoreError.self) { try store.checkInPlace() }
        guard case .displaced(_, _, .inPlace) = store.rescue(from: error) else {
            Issue.record("\(error)")
            return
        }
    }

    @Test("a copy never takes the place of another file")
    func copies() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        for name in ["rescued", "rescued-2"] {
            try Data(name.utf8).write(to: URL(filePath: "\(kitchen.path).\(name)"))
        }
        try FileManager.default.removeItem(atPath: kitchen.path)
        let error = try #require(throws: StoreError.self) { try store.checkInPlace() }
        let said = "\(store.rescue(from: error))"
        #expect(said.contains("\(kitchen.path).rescued-3"), "\(said)")
        #expect(try kitchen.files["tray.sqlite.rescued"] == Data("rescued".utf8))
        #expect(try kitchen.files["tray.sqlite.rescued-2"] == Data("rescued-2".utf8))
    }

    @Test("a copy that cannot be made is said, and none is left half made")
    func noCopy() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        let folder = URL(filePath: kitchen.path).deletingLastPathComponent()
        try FileManager.default.removeItem(at: folder)
        try Data().write(to: folder)
        let error = try #require(throws: StoreError.self) { try store.checkInPlace() }
        guard case .displaced(_, _, .failed) = store.rescue(from: error) else {
            Issue.record("it was saved")
            return
        }
    }

    /// Each leaves the store that is read open, and another file or none where it was.
    static let startMishaps = [
        Mishap(testDescription: "the file removed") { try FileManager.default.removeItem(atPath: $0.path) },
        Mishap(testDescription: "another store moved onto it") { kitchen in
            for suffix in ["", "-wal"] {
                #expect(rename("\(kitchen.folder)/other\(suffix)", kitchen.path + suffix) == 0)
            }
        },
        Mishap(testDescription: "an empty file moved onto it") { kitchen in
            try Data().write(to: URL(filePath: "\(kitchen.folder)/empty"))
            #expect(rename("\(kitchen.folder)/empty", kitchen.path) == 0)
        },
    ]

    @Test(
        "a start that no longer finds the file that it read says so, and saves what it read",
        arguments: startMishaps)
    func duringStart(mishap: Mishap) throws {
        nonisolated(unsafe) let kitchen = try Kitchen()
        let first = try kitchen.open()
        for number in 1...60 as ClosedRange<UInt64> {
            try first.commit(Sample.accept(number, itemCount: 1_000))
        }
        try first.close()
        let other = try Kitchen.killed(after: Sample.accept(77), and: Sample.accept(78))
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: other.path + suffix, toPath: "\(kitchen.folder)/other\(suffix)")
        }

        let store = try Store.open(path: kitchen.path)
        // What is there takes far longer to read.
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var movedAt: ContinuousClock.Instant?
        Thread.detachNewThread {
            usleep(30_000)
            do { try mishap.happen(kitchen) } catch { Issue.record(error) }
            movedAt = .now
            done.signal()
        }
        let error = try #require(throws: StoreError.self) { try store.begin(at: Sample.now) }
        let end = ContinuousClock.now
        done.wait()
        try #require(movedAt.map { $0 < end } == true)
        guard case .displaced(_, _, .copied(let copy)) = store.rescue(from: error) else {
            Issue.record("\(error)")
            return
        }
        let next = try Store.open(path: copy)
        #expect(try next.begin(at: Sample.now).orders.map(\.accepted.id) == (1...60).map { Sample.id($0) })
        try next.close()
        if FileManager.default.fileExists(atPath: "\(kitchen.path)-wal") {
            #expect(try kitchen.files["tray.sqlite"] == other.files["tray.sqlite"])
            #expect(try kitchen.files["tray.sqlite-wal"] == other.files["tray.sqlite-wal"])
        } else {
            #expect(try kitchen.files["tray.sqlite"]?.isEmpty ?? true)
        }
    }

    @Test("an orderly stop notices it, too")
    func stop() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try FileManager.default.removeItem(atPath: kitchen.path)
        let error = try #require(throws: StoreError.self) { try store.close() }
        guard case .displaced = error else { Issue.record("\(error)"); return }
    }
}
