import Foundation
import GRDB

/// A store that is opened for reading only: no file is changed or made, and no room is needed.
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
            if try StoreFile.inspect(path) == .store, !StoreFile.isUnfinished(path) {
                if let damage = LogFile.damage(ofStore: path) {
                    throw StoreError.corrupt(path: path, detail: damage)
                }
                let connection = try DatabaseQueue(
                    path: Reader.address(of: path), configuration: Reader.configuration)
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

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "store"
        configuration.readonly = true
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
        return configuration
    }

    /// Source: https://www.sqlite.org/uri.html and https://www.sqlite.org/vfs.html ("unix-none").
    private static func address(of path: String) throws(StoreError) -> String {
        guard let escaped = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) else {
            throw .inaccessible(path: path, detail: "its name is no UTF-8")
        }
        return "file:\(escaped)?vfs=unix-none"
    }
}
