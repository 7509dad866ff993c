import AssemblerCore
import GRDB
import Wire

/// Everything that a start writes, done once in memory on the store's own pages and taken back, before anything is
/// written.
///
/// Some damage shows only where something is written: in pages that nobody reads, in the list of free ones, in
/// the schema that a migration expects. A store that has it is refused here, and neither its file nor its log has
/// changed.
enum Rehearsal {
    /// - Parameter path: of a store that no connection of this process has open.
    /// - Throws: What the start would throw.
    static func run(at now: WallTime, path: String) throws {
        let connection = try QuietConnection(to: path, for: .rehearsing)
        try connection.queue.writeWithoutTransaction { database in
            // No page leaves memory before a commit, and none is committed.
            try database.execute(sql: "PRAGMA cache_spill = OFF")
            if try String.fetchOne(database, sql: "PRAGMA journal_mode") != "wal" {
                // As in a copy that has not been written to yet. Without a log, a journal would be made.
                try database.execute(sql: "PRAGMA journal_mode = MEMORY")
            }
            try database.inTransaction(.immediate) {
                try Schema.migrate(withinTransaction: database)
                try Store.recordStart(at: now, in: database)
                return .rollback
            }
        }
        try connection.close()
    }
}
