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
            guard case .there(let identity) = Look(path) else { return nil }
            self = identity
        }

        fileprivate init(_ status: stat) {
            device = UInt64(status.st_dev)
            number = UInt64(status.st_ino)
        }
    }

    /// What is at a path. A folder that cannot be looked into says nothing about its files.
    private enum Look: Equatable {
        case there(Identity), absent, unknown

        init(_ path: String) {
            var status = stat()
            if stat(path, &status) == 0 {
                self = .there(Identity(status))
            } else {
                self = errno == ENOENT || errno == ENOTDIR ? .absent : .unknown
            }
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

    /// Renames the log that was left without its file: SQLite would take it for that of whatever is put in the
    /// file's place, the copy of its content too, and write it into it.
    func setLogAside(as name: String) {
        guard let log, Look(StoreFiles.log(of: path)) == .there(log), Look(name) == .absent else { return }
        // Where it cannot be renamed, whoever puts another file there is told of damage, and nothing is lost.
        rename(StoreFiles.log(of: path), name)
    }

    /// What has become of the files; `nil` where both are what and where they were.
    func displacement() -> String? {
        switch Look(path) {
        case .absent: return "it was removed"
        case .there(let found) where found != file: return "another file took its place"
        case .there, .unknown: break
        }
        guard let log else { return nil }
        switch Look(StoreFiles.log(of: path)) {
        case .absent: return "its log, \(path)-wal, was removed"
        case .there(let found) where found != log:
            return "another file took the place of its log, \(path)-wal"
        case .there, .unknown: return nil
        }
    }
}
