import Foundation

/// A file, whatever its name is.
struct FileIdentity: Equatable {
    private let device: UInt64
    private let number: UInt64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
    }
}

/// What is at a path. A folder that cannot be looked into says nothing about its files.
enum Look: Equatable {
    case there(FileIdentity), absent, unknown

    init(_ path: String) {
        var status = stat()
        if stat(path, &status) == 0 {
            self = .there(FileIdentity(status))
        } else {
            self = errno == ENOENT || errno == ENOTDIR ? .absent : .unknown
        }
    }

    var identity: FileIdentity? {
        guard case .there(let identity) = self else { return nil }
        return identity
    }
}
