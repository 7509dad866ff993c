import Foundation
import GRDB

/// A store that is opened for reading only: no file is changed, none is left that was not there, and no room is
/// needed. A change that was interrupted is undone before.
///
/// SQLite can read a write-ahead log without a file of shared memory beside it when the connection is
/// exclusive from its first access on (https://www.sqlite.org/wal.html, "Use of WAL Without Shared-Memory").
/// It then wants to lock the file for writing, which one that is open for reading cannot be; so its own
/// locks are left out.
struct Reader {
    let connection: DatabaseQueue
    /// `nil` for an empty store in memory, which stands for one that is not there yet.
    let files: StoreFiles?
    private let quiet: QuietConnection?

    init(_ place: StorePlace) throws(StoreError) {
        let path = place.path
        let found = Look(path)
        do {
            if try StoreFile.inspect(path) == .store {
                if let damage = try LogFile.damage(ofStore: path) {
                    throw StoreError.corrupt(path: path, detail: damage)
                }
                try Journal.undo(path)
                let quiet = try QuietConnection(to: path, for: .reading)
                if try quiet.queue.read({ try Reader.isReadable($0, path: path) }) {
                    (connection, self.quiet) = (quiet.queue, quiet)
                    let files = try StoreFiles(place, watchesLog: !quiet.hasMadeLog)
                    guard files.isFile(found) else {
                        throw StoreError.displaced(
                            path: path, detail: "another file took its place", rescue: .missing)
                    }
                    self.files = files
                    return
                }
                try quiet.close()
            }
            (connection, quiet, files) = (try DatabaseQueue(), nil, nil)
            try Schema.migrator.migrate(connection)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// May be called again.
    func close() throws {
        try connection.close()
        try quiet?.close()
    }

    /// - Returns: false for a store without tables: its making was interrupted, and writing finishes it.
    private static func isReadable(_ database: Database, path: String) throws -> Bool {
        let applied = try Schema.migrator.appliedIdentifiers(database)
        let missing = try Schema.tables.filter { try !database.tableExists($0) }
        if applied.isEmpty && missing == Schema.tables {
            guard try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0 <= Schema.pageCountWithoutTables
            else { throw Damage(row: "file", detail: "it has pages, and no tables") }
            return false
        }
        guard try !Schema.migrator.hasBeenSuperseded(database) else {
            throw StoreError.newer(path: path, version: Schema.version + 1, knownVersion: Schema.version)
        }
        guard !applied.isEmpty, applied == Set(Schema.migrator.migrations.prefix(applied.count)) else {
            throw Damage(row: "grdb_migrations", detail: "it does not say how the tables came to be")
        }
        if let table = missing.first { throw Damage(row: table, detail: "the table is missing") }
        return true
    }
}
