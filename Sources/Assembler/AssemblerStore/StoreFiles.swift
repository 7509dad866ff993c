import Foundation

/// Which files a store has open: the file itself, and its log.
///
/// SQLite goes on with a file that was removed or replaced as if nothing had happened, and what it writes is
/// gone when it closes it.
struct StoreFiles {
    /// A file, whatever its name is.
    private struct Identity: Equatable {
        let device: UInt64
        let number: UInt64

        /// `nil` where there is no file at `path`.
        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            number = UInt64(status.st_ino)
        }
    }

    private let path: String
    private let file: Identity
    /// Absent for a store that was opened for reading when it had none.
    private let log: Identity?

    /// - Parameter path: of a store that has just been opened.
    init(path: String) throws(StoreError) {
        guard let file = Identity(path) else {
            throw .displaced(path: path, detail: "it was removed", rescue: .missing)
        }
        self.path = path
        self.file = file
        log = Identity(StoreFiles.log(of: path))
    }

    static func log(of path: String) -> String { "\(path)-wal" }

    var isFileInPlace: Bool { Identity(path) == file }

    /// What has become of the files; `nil` where both are what and where they were.
    func displacement() -> String? {
        guard let file = Identity(path) else { return "it was removed" }
        guard file == self.file else { return "another file took its place" }
        guard let log = self.log else { return nil }
        guard let found = Identity(StoreFiles.log(of: path)) else {
            return "its log, \(path)-wal, was removed"
        }
        return found == log ? nil : "another file took the place of its log, \(path)-wal"
    }
}
