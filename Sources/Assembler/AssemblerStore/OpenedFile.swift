import CSQLite
import Foundation

/// The file of a store, open for reading as SQLite opens it.
///
/// Whoever closes a descriptor of a file drops every lock that its process has on that file, whichever descriptor
/// it was taken with. SQLite knows its own, and closes none while a connection of the process holds a lock
/// (https://www.sqlite.org/howtocorrupt.html, "POSIX advisory locks canceled"). So nothing in this process may
/// open and close the file of a store by itself.
struct OpenedFile: ~Copyable {
    private let connection: OpaquePointer?
    private let path: String

    /// - Throws: Where there is no such file, too.
    init(_ path: String) throws(StoreError) {
        self.path = path
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READONLY, nil)
        guard code == SQLITE_OK else {
            let systemCode = sqlite3_system_errno(opened)
            sqlite3_close(opened)
            throw StoreError(systemCode: systemCode == 0 ? EIO : systemCode, path: path, of: "the file")
        }
        connection = opened
    }

    deinit { sqlite3_close(connection) }

    /// The file's length, and as many of its first bytes as there are.
    func beginning(byteCount: Int) throws(StoreError) -> (bytes: [UInt8], fileByteCount: Int) {
        var found: UnsafeMutablePointer<sqlite3_file>?
        sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &found)
        guard let file = found, let methods = file.pointee.pMethods?.pointee else {
            throw .failed(path: path, detail: "SQLite does not read it")
        }
        var fileByteCount: sqlite3_int64 = 0
        guard methods.xFileSize(file, &fileByteCount) == SQLITE_OK else {
            throw failure(of: "the length of the file")
        }
        var bytes = [UInt8](repeating: 0, count: min(byteCount, Int(fileByteCount)))
        guard methods.xRead(file, &bytes, Int32(bytes.count), 0) == SQLITE_OK else {
            throw failure(of: "the file")
        }
        return (bytes, Int(fileByteCount))
    }

    private func failure(of what: String) -> StoreError {
        var systemCode: Int32 = 0
        sqlite3_file_control(connection, "main", SQLITE_FCNTL_LAST_ERRNO, &systemCode)
        return StoreError(systemCode: systemCode == 0 ? EIO : systemCode, path: path, of: what)
    }
}
