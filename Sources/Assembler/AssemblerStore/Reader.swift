import CSQLite
import Foundation
import GRDB

/// A store that is opened for reading only: no file is changed, none is left that was not there, and no room is
/// needed. A change that was interrupted is undone before.
///
/// SQLite can read a write-ahead log without a file of shared memory beside it when the connection is
/// exclusive from its first access on (https://www.sqlite.org/wal.html, "Use of WAL Without Shared-Memory").
/// It then wants to lock the file for writing, which one that is open for reading cannot be; so its own
/// locks are left out. The lock beside the file keeps other assemblers away, and nobody else writes.
struct Reader {
    let connection: DatabaseQueue
    /// `nil` for an empty store in memory, which stands for one that is not there yet.
    let files: StoreFiles?

    init(path: String) throws(StoreError) {
        do {
            if try StoreFile.inspect(path) == .store, !Journal.isOfMaking(path) {
                if let damage = try LogFile.damage(ofStore: path) {
                    throw StoreError.corrupt(path: path, detail: damage)
                }
                try Journal.undo(path)
                var configuration = try Reader.configuration(of: path)
                configuration.readonly = true
                let connection = try DatabaseQueue(
                    path: Reader.address(of: path), configuration: configuration)
                if try connection.read({ try Reader.isReadable($0, path: path) }) {
                    (self.connection, files) = (connection, try StoreFiles(path: path))
                    return
                }
            }
            let empty = try DatabaseQueue()
            try Schema.migrator.migrate(empty)
            (connection, files) = (empty, nil)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// - Returns: false for a store without tables: its making was interrupted, and writing finishes it.
    private static func isReadable(_ database: Database, path: String) throws -> Bool {
        let applied = try Schema.migrator.appliedIdentifiers(database)
        let missing = try Schema.tables.filter { try !database.tableExists($0) }
        if applied.isEmpty && missing == Schema.tables { return false }
        guard try !Schema.migrator.hasBeenSuperseded(database) else {
            throw StoreError.newer(path: path, version: Schema.version + 1, knownVersion: Schema.version)
        }
        guard !applied.isEmpty, applied == Set(Schema.migrator.migrations.prefix(applied.count)) else {
            throw Damage(row: "grdb_migrations", detail: "it does not say how the tables came to be")
        }
        if let table = missing.first { throw Damage(row: table, detail: "the table is missing") }
        return true
    }

    /// Of a connection that needs no file of shared memory, and leaves the log as it is.
    static func configuration(of path: String) throws(StoreError) -> Configuration {
        var (configuration, status) = (Configuration(), stat())
        configuration.label = "store"
        // One that is made to read is removed again. One that was there would be, too, if no commit stood in it.
        let isLogThere = lstat(StoreFiles.log(of: path), &status) == 0
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            guard isLogThere else { return }
            let code = sqlite3_keep_log_on_close(database.sqliteConnection)
            guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
        }
        return configuration
    }

    /// Without locks, and of a file that is there.
    /// Source: https://www.sqlite.org/uri.html and https://www.sqlite.org/vfs.html ("unix-none").
    static func address(of path: String, isWritten: Bool = false) throws(StoreError) -> String {
        guard let escaped = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) else {
            throw .inaccessible(path: path, detail: "its name is no UTF-8")
        }
        return "file:\(escaped)?vfs=unix-none&mode=\(isWritten ? "rw" : "ro")"
    }
}
