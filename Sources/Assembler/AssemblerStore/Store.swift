import AssemblerCore
import Foundation
import GRDB
import Wire

/// The assembler's durable record: one SQLite file, written by one process.
///
///     open ──▶ reading ──begin──▶ writing ──close──▶ (released)
///                 ▲                  │
///                 └── begin failed ──┘      as for want of room
///
/// It lives on the assembler's thread. A commit is on the disk when it returns. What is read is compared with
/// its checksum first. Everything throws `StoreError`; after a failed commit the caller's memory is ahead of
/// the file, and only a restart makes them agree.
public final class Store {
    let place: StorePlace
    /// Of its file, links resolved.
    public var path: String { place.path }
    /// Stays open beside the writer: it has the file and the log that were read, whatever is moved to their names
    /// meanwhile, and when its descriptor is closed, the writer loses its locks.
    private var reader: Reader
    private var writer: DatabaseQueue?
    private let lock: StoreLock
    /// There was none at the start, and no start has succeeded: nothing was ever accepted in it.
    private(set) var isUnmade: Bool
    /// The files that are open; `nil` while an empty store in memory stands for one that is not there yet.
    private(set) var files: StoreFiles?
    /// Pages in the write-ahead log since the last checkpoint, estimated.
    var loggedPageCount = 0
    /// The statuses of the order that was asked for last, so that reading a large tray page by page stays
    /// linear.
    var cachedStatuses: (order: OrderID, statuses: [ItemStatus])?

    private init(_ place: StorePlace, reader: Reader, lock: StoreLock) {
        self.place = place
        self.reader = reader
        self.files = reader.files
        self.lock = lock
        isUnmade = files == nil
    }

    /// The writer goes first, as it always does: with the reader its locks would go. Nobody is left to be told.
    deinit { try? letGo() }

    var isWriting: Bool { writer != nil }
    private var connection: DatabaseQueue { writer ?? reader.connection }

    /// Locks the store at `path` for this process, and opens it for reading, which changes nothing and needs
    /// no room. Where there is none yet, one that is empty is read.
    ///
    /// A file that is not a store, is damaged or comes from a later version is left exactly as it is. Where there is
    /// none, but a copy that was saved when one was removed, no other is begun: workers would bring it the results
    /// of the lost one, and forget them.
    public static func open(path: String) throws(StoreError) -> Store {
        try StoreFile.makeFolder(of: path)
        let place = try StorePlace(path)
        let lock = try StoreLock(storePath: place.path)
        if try StoreFile.inspect(place.path) == .missing {
            for path in [place.name, place.path] where Look(Store.rescued(path)) != .absent {
                throw .abandoned(path: path, copy: Store.rescued(path))
            }
        }
        let reader = try Reader(place)
        try StoreFile.checkWritable(place.path)
        return Store(place, reader: reader, lock: lock)
    }

    /// Opens the store for writing, made anew where there is none; records that an assembler started, and
    /// loads the orders that have not ended.
    ///
    /// They are read, and what is written is rehearsed, before anything is written, migrations too: a store that is
    /// damaged there is left as it is. Where this throws, the store goes on reading; where it throws `.displaced`,
    /// `rescue` saves what was read.
    /// - Returns: The count of starts, this one included, and the orders in the order of their acceptance.
    public func begin(at now: WallTime) throws(StoreError) -> (incarnation: UInt32, orders: [RestoredOrder]) {
        try checkInPlace()
        if files != nil { try leaveToWhoIsAtWork() }
        let before = files == nil ? nil : try perform { try RestoredOrder.all(in: $0) }
        do throws(StoreError) {
            let number = try takeUpWriting(at: now)
            isUnmade = false
            if let before { return (UInt32(clamping: number), before) }
            return (UInt32(clamping: number), try perform { try RestoredOrder.all(in: $0) })
        } catch {
            if case .displaced = error { throw error }
            // What failed may have failed for that.
            try checkInPlace()
            try goBackToReading(after: error)
            throw error
        }
    }

    /// A journal that is there now is of somebody who works on the file, or did and was killed: then it is undone.
    ///
    /// - Throws: `.busy` where somebody does: without locks, what they have written would be undone under them.
    private func leaveToWhoIsAtWork() throws(StoreError) {
        do { try Journal.undo(path) } catch { throw StoreError(error, path: path) }
    }

    /// - Returns: The number of the start that was recorded.
    private func takeUpWriting(at now: WallTime) throws(StoreError) -> Int64 {
        do {
            let isNew = files == nil
            if !isNew {
                try leaveToWhoIsAtWork()
                try Rehearsal.run(at: now, path: path)
            }
            // What is unfinished is undone by SQLite, its marks too.
            let isUnmarked = try StoreFile.inspect(path) != .store
            if isUnmarked && !isNew {
                throw StoreError.displaced(path: path, detail: "it ceased to be a store", rescue: .missing)
            }
            let (writer, opened) = try openWriter()
            self.writer = writer
            try writer.writeWithoutTransaction { try Store.prepare($0, isUnmarked: isUnmarked) }
            // Now that it has a log.
            let files = try StoreFiles(place, watchesLog: true)
            self.files = files
            try opened.check()
            if isNew {
                // SQLite syncs the folder of its files, and none that this one stands in. Before there is a table: a
                // store that has one is new to nobody. And before there is content in the log: then no journal is
                // left.
                let folder = URL(filePath: path).absoluteURL.deletingLastPathComponent()
                try StoreFile.syncFolders(from: folder, storePath: path)
            }
            try Schema.migrator.migrate(writer)
            let number = try writer.writeWithoutTransaction {
                try Store.recordStartMakingRoom(at: now, in: $0)
            }
            try files.check(hasLog: true)
            try writer.writeWithoutTransaction(Store.foldLog)
            reader.connection.releaseMemory()
            return number
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Opens the file that was read, or makes one where there was none.
    ///
    /// - Throws: `.displaced`, where another is there now, which is left as it is.
    private func openWriter() throws -> (DatabaseQueue, StoreFiles) {
        let writer = try DatabaseQueue(path: path, configuration: Store.configuration)
        let opened = try files ?? StoreFiles(place, watchesLog: false)
        try opened.check()
        try writer.writeWithoutTransaction { try $0.keepLogOnClose(false) }
        return (writer, opened)
    }

    @discardableResult
    static func recordStart(at now: WallTime, in database: Database) throws -> Int64 {
        try database.execute(
            sql: "INSERT INTO assembler_start (at_ms) VALUES (?)", arguments: [now.milliseconds])
        return database.lastInsertedRowID
    }

    private static func recordStartMakingRoom(at now: WallTime, in database: Database) throws -> Int64 {
        do {
            return try recordStart(at: now, in: database)
        } catch DatabaseError.SQLITE_FULL {
            // It may be the log that fills the disk.
            try foldLog(database)
            return try recordStart(at: now, in: database)
        }
    }

    private func goBackToReading(after error: StoreError) throws(StoreError) {
        // What the writer changed the reader does not see.
        guard let writer else { return }
        do {
            try writer.close()
            self.writer = nil
            try reader.close()
            reader = try Reader(place)
            files = reader.files
        } catch let second {
            // For want of room, too: who waits for room reads meanwhile.
            throw .failed(path: path, detail: "\(error); and it cannot be read again: \(second)")
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "store"
        configuration.busyMode = .immediateError
        configuration.foreignKeysEnabled = true
        // Until it is known whose file it is.
        configuration.prepareDatabase { try $0.keepLogOnClose(true) }
        return configuration
    }

    /// The marks of a new file have to stand in it before its first table does, and before it gets a log.
    private static func prepare(_ database: Database, isUnmarked: Bool) throws {
        if isUnmarked {
            // Both or none: a file with the first alone would be another application's. The transaction must not
            // begin by writing, or the first comes too late.
            try database.inTransaction(.deferred) {
                try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
                try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
                return .commit
            }
        }
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
        guard mode == "wal" else {
            throw DatabaseError(message: "a write-ahead log is not possible here; use a local file system")
        }
        try database.execute(sql: "PRAGMA synchronous = FULL")
        try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
        // The log is made with the next look into the file.
        _ = try Int.fetchOne(database, sql: "PRAGMA schema_version")
    }

    /// Writes the log into the file, as far as somebody who reads at the same time (`verify`) allows,
    /// or a full disk does.
    static func foldLog(_ database: Database) throws {
        do {
            try database.checkpoint(.truncate)
        } catch DatabaseError.SQLITE_BUSY, DatabaseError.SQLITE_FULL {
            // The log stays, and is whole.
        }
    }

    /// Writes all changes of a round in one transaction. They are on the disk when it returns.
    public func commit(_ changes: [Change]) throws(StoreError) {
        if changes.isEmpty { return }
        try perform { database in
            try database.inTransaction(.immediate) {
                for change in changes { try database.apply(change) }
                return .commit
            }
        }
        loggedPageCount += changes.reduce(0) { $0 + $1.pageCount }
        let hasDeleted = changes.contains { if case .abandoned = $0 { true } else { false } }
        if hasDeleted { cachedStatuses = nil }
    }

    /// Compares the files at the store's path with those that are open: three looks at the file system, cheap
    /// enough for every round.
    ///
    /// - Throws: `.displaced`: nothing more may be acknowledged, and `rescue` saves what was.
    public func checkInPlace() throws(StoreError) {
        try files?.check()
    }

    /// Folds the log into the file and lets the store go. Nothing may be called afterwards.
    public func close() throws(StoreError) {
        try checkInPlace()
        do {
            try writer?.writeWithoutTransaction(Store.foldLog)
        } catch {
            throw StoreError(error, path: path)
        }
        try letGo()
    }

    func letGo() throws(StoreError) {
        do {
            try writer?.close()
            try reader.close()
        } catch {
            throw StoreError(error, path: path)
        }
        lock.release()
    }

    func perform<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        do {
            return try connection.writeWithoutTransaction(body)
        } catch {
            throw StoreError(error, path: path)
        }
    }
}
