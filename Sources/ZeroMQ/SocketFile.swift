import Glibc

/// The file of an `ipc://` endpoint that is to be bound.
///
/// libzmq removes whatever it finds there, also the socket of a process that listens, which then hears
/// nobody, and says nothing.
enum SocketFile {
    /// - Throws: `EADDRINUSE` where somebody listens, `EEXIST` where the file is no socket. One that a dead
    ///   process left is free to be taken.
    static func checkFree(_ endpoint: String) throws(ZeroMQError) {
        guard endpoint.hasPrefix("ipc://") else { return }
        let path = String(endpoint.dropFirst("ipc://".count))
        // A name of its own choice, and one in the abstract space: libzmq takes neither from anybody.
        guard path != "*", !path.hasPrefix("@") else { return }
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ZeroMQError("bind", endpoint: endpoint, code: EEXIST)
        }
        if isListenedTo(path) { throw ZeroMQError("bind", endpoint: endpoint, code: EADDRINUSE) }
    }

    private static func isListenedTo(_ path: String) -> Bool {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        // Nobody can tell: then nothing is taken from anybody.
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let isWhole = withUnsafeMutableBytes(of: &address.sun_path) { target in
            guard bytes.count < target.count else { return false }
            target.copyBytes(from: bytes)
            return true
        }
        guard isWhole else { return false }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        // Only a refusal says that nobody listens: a full queue, or another user's socket, does not.
        return code == 0 || errno != ECONNREFUSED && errno != ENOENT
    }
}
