import CSQLite
import Foundation
import GRDB

/// A connection that needs no file of shared memory and leaves the log beside the store as it is.
///
/// When SQLite closes the last connection of a store, it folds the log and removes it, by its name. Without locks it
/// cannot know that it is the last, nor does it see then that another store was moved to that name. So it never
/// folds here, and the empty log that it makes where there is none, only to read, is removed by us. (With a file
/// without pages SQLite removes a log at once: `StoreFile.inspect` lets none with content come so far.)
final class QuietConnection {
    enum Access {
        /// Without locks. The lock beside the store keeps other assemblers away, and nobody else writes.
        case reading, rehearsing
        /// With SQLite's locks.
        case locking
    }

    let queue: DatabaseQueue
    private let madeLog: EmptyLog?

    /// - Parameter path: of a file that is there, links resolved.
    init(to path: String, for access: Access) throws {
        var (configuration, status) = (Configuration(), stat())
        configuration.label = "store"
        configuration.readonly = access == .reading
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            try database.keepLogOnClose(true)
        }
        let hadLog = lstat(StoreFiles.log(of: path), &status) == 0
        do {
            queue = try DatabaseQueue(
                path: QuietConnection.address(of: path, for: access), configuration: configuration)
            // The log is made with the first look into the file.
            _ = try queue.inDatabase { try Int.fetchOne($0, sql: "PRAGMA schema_version") }
        } catch {
            if !hadLog { EmptyLog(of: path)?.remove() }
            throw error
        }
        madeLog = hadLog ? nil : EmptyLog(of: path)
    }

    /// Whether the log beside the store was made by this connection.
    var hasMadeLog: Bool { madeLog != nil }

    deinit { try? close() }  // nobody is left to be told

    /// May be called again.
    func close() throws {
        try queue.close()
        madeLog?.remove()
    }

    /// Source: https://www.sqlite.org/uri.html and https://www.sqlite.org/vfs.html ("unix-none").
    private static func address(of path: String, for access: Access) throws(StoreError) -> String {
        guard access != .locking else { return path }
        guard let escaped = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) else {
            throw .inaccessible(path: path, detail: "its name is no UTF-8")
        }
        return "file:\(escaped)?vfs=unix-none&mode=\(access == .reading ? "ro" : "rw")"
    }
}

extension Database {
    /// Whether closing the connection leaves the log as it is.
    func keepLogOnClose(_ isKept: Bool) throws {
        let code = tray_keep_log_on_close(sqliteConnection, isKept ? 1 : 0)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
}

/// A log without content.
private struct EmptyLog {
    private let storePath: String
    private let identity: FileIdentity

    /// `nil` where there is none.
    init?(of storePath: String) {
        guard let identity = EmptyLog.identity(of: storePath) else { return nil }
        (self.storePath, self.identity) = (storePath, identity)
    }

    /// Removes it: where it is still the same, is still empty, and nobody else has it open.
    func remove() {
        // Who opens a log, and is not alone with the file, has shared memory beside it.
        guard Look("\(storePath)-shm") == .absent, EmptyLog.identity(of: storePath) == identity
        else { return }
        // Where it stays, it holds nothing.
        unlink(StoreFiles.log(of: storePath))
    }

    private static func identity(of storePath: String) -> FileIdentity? {
        var status = stat()
        guard lstat(StoreFiles.log(of: storePath), &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size == 0
        else { return nil }
        return FileIdentity(status)
    }
}
