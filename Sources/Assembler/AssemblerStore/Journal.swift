import Foundation
import GRDB

/// The rollback journal beside a store's file, which a kill or a power cut leaves where it interrupts a change that
/// goes to the file and not to the log: those of the making of a store, and the first of a start on a copy that has
/// no log yet.
///
/// Source of the offsets: https://www.sqlite.org/fileformat2.html#the_rollback_journal
enum Journal {
    private static let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
    private static let headerByteCount = 28

    /// How many pages the file had before the change that it undoes; `nil` where it undoes nothing.
    ///
    /// SQLite syncs the journal before it writes to the file: where the header is not whole, nothing was changed.
    static func pageCountBefore(_ path: String) -> Int? {
        guard let header = beginning(path, byteCount: headerByteCount), header.starts(with: magic) else {
            return nil
        }
        return header[16..<20].reduce(0) { $0 << 8 | Int($1) }
    }

    /// Whether SQLite takes the journal for one that undoes nothing, by its first byte.
    private static func isBlank(_ path: String) -> Bool { beginning(path, byteCount: 1) == [0] }

    /// `nil` where the journal has fewer bytes, or is not there.
    private static func beginning(_ path: String, byteCount: Int) -> [UInt8]? {
        let descriptor = open(name(path), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: byteCount)
        return pread(descriptor, &bytes, byteCount, 0) == byteCount ? bytes : nil
    }

    /// Has SQLite put back what an interrupted change to a whole store had overwritten, and removes the journal. The
    /// log stays as it is.
    ///
    /// - Throws: SQLite's `BUSY`, where the change is not interrupted: another program is at work.
    static func undo(_ path: String) throws {
        guard StoreFile.hasContent(name(path)) else { return }
        do {
            // It does so at the first access, which comes with opening.
            let connection = try QuietConnection(to: path, for: .locking)
            try connection.queue.inDatabase { database in
                try database.execute(sql: "BEGIN IMMEDIATE")
                // With a log beside the file, SQLite leaves a journal that it has played back, with an empty header.
                // Nobody else is writing one now.
                if pageCountBefore(path) == nil { unlink(name(path)) }
                try database.execute(sql: "ROLLBACK")
            }
            try connection.close()
        } catch DatabaseError.SQLITE_BUSY where isBlank(path) && StoreFile.hasLogMark(path) {
            // Nothing is to be undone, and who works on a store with a log writes no journal: somebody reads.
        }
    }

    static func name(_ path: String) -> String { "\(path)-journal" }
}
