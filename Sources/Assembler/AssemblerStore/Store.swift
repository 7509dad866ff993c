import AssemblerCore
import Foundation
import GRDB
import Wire

/// The assembler's durable record: one SQLite file, written by one process.
///
/// It lives on the assembler's thread. A commit is on the disk when it returns. What is read is compared with
/// its checksum first. Everything throws `StoreError`; after a failed commit the caller's memory is ahead of
/// the file, and only a restart makes them agree.
public final class Store {
    public let path: String
    let connection: DatabaseQueue
    private let lock: StoreLock
    /// Pages in the write-ahead log since the last checkpoint, estimated.
    var loggedPageCount = 0
    /// The statuses of the order that was asked for last, so that reading a large tray page by page stays
    /// linear.
    var cachedStatuses: (order: OrderID, statuses: [ItemStatus])?

    private init(path: String, connection: DatabaseQueue, lock: StoreLock) {
        self.path = path
        self.connection = connection
        self.lock = lock
    }

    /// Opens the store at `path`; makes it, and its folder, where there is none.
    ///
    /// A file that is not a store, is damaged or comes from a later version is left exactly as it is.
    public static func open(path: String) throws(StoreError) -> Store {
        try StoreFile.makeFolder(of: path)
        let lock = try StoreLock(storePath: path)
        let finding = try StoreFile.inspect(path)
        do {
            let connection = try DatabaseQueue(path: path, configuration: configuration)
            try connection.writeWithoutTransaction { try prepare($0, isNew: finding == .missing) }
            guard try !connection.read(Schema.migrator.hasBeenSuperseded) else {
                throw StoreError.newer(path: path, version: Schema.version + 1, knownVersion: Schema.version)
            }
            try Schema.migrator.migrate(connection)
            try connection.writeWithoutTransaction(foldLog)
            return Store(path: path, connection: connection, lock: lock)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "store"
        configuration.busyMode = .immediateError
        configuration.foreignKeysEnabled = true
        return configuration
    }

    /// The marks of a new file have to stand in it before its first table does, and before it gets a log.
    private static func prepare(_ database: Database, isNew: Bool) throws {
        if isNew {
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
        }
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
        guard mode == "wal" else {
            throw DatabaseError(message: "a write-ahead log is not possible here; use a local file system")
        }
        try database.execute(sql: "PRAGMA synchronous = FULL")
        try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
    }

    /// Writes the log into the file, as far as somebody who reads at the same time (`verify`) allows.
    private static func foldLog(_ database: Database) throws {
        do {
            try database.checkpoint(.truncate)
        } catch DatabaseError.SQLITE_BUSY {
            // The log stays, and is whole.
        }
    }

    /// Records that an assembler started, and loads the orders that have not ended.
    ///
    /// - Returns: The count of starts, this one included, and the orders in the order of their acceptance.
    public func begin(at now: WallTime) throws(StoreError) -> (incarnation: UInt32, orders: [RestoredOrder]) {
        let orders = try perform { try RestoredOrder.all(in: $0) }
        let number = try perform { database in
            try database.execute(
                sql: "INSERT INTO assembler_start (at_ms) VALUES (?)", arguments: [now.milliseconds])
            return database.lastInsertedRowID
        }
        return (UInt32(clamping: number), orders)
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

    /// Folds the log into the file and lets the store go. Nothing may be called afterwards.
    public func close() throws(StoreError) {
        do {
            try connection.writeWithoutTransaction(Store.foldLog)
            try connection.close()
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
