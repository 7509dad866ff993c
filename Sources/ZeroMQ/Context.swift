import CZeroMQ
import Glibc
import Synchronization

/// The version of libzmq that is loaded, which need not be the one of the headers.
public var zeroMQVersion: (major: Int, minor: Int, patch: Int) {
    var (major, minor, patch) = (Int32(0), Int32(0), Int32(0))
    zmq_version(&major, &minor, &patch)
    return (Int(major), Int(minor), Int(patch))
}

/// What libzmq refused to do.
public struct ZeroMQError: Error, CustomStringConvertible, Sendable {
    /// The function that failed: `bind`, `connect`, `set sendHighWaterMark`…
    public let operation: String
    public let endpoint: String?
    /// An `errno`, or one of libzmq's own numbers.
    public let code: Int32

    init(_ operation: String, endpoint: String? = nil, code: Int32 = zmq_errno()) {
        self.operation = operation
        self.endpoint = endpoint
        self.code = code
    }

    public var description: String {
        let place = endpoint.map { " \($0)" } ?? ""
        // A host name cannot be bound, and what the system says of that tells nobody so.
        if operation == "bind", code == ENODEV || code == EAGAIN {
            return "bind\(place): no such address here; bind an IP address, * or a network interface's name"
        }
        return "\(operation)\(place): \(String(cString: zmq_strerror(code)))\(advice)"
    }

    /// What the system's words for it do not tell.
    private var advice: String {
        switch code {
        case EADDRINUSE: "; another process listens there: stop it, or bind another endpoint"
        case EEXIST: "; it is no socket, and stays as it is: bind another path"
        default: ""
        }
    }
}

/// libzmq's I/O threads and what the sockets of a process share.
///
/// Any thread may use it. Each socket keeps its context, so a context ends after its last socket was closed.
/// Its end waits for the pending messages of closed sockets, each at most for its socket's linger (0 unless
/// set; never without limit), so a shutdown is bounded (FM-55). A process that leaves with a context alive
/// sends none of them.
public final class Context: Sendable {
    // Safe because libzmq's contexts may be used from any thread.
    nonisolated(unsafe) let pointer: UnsafeMutableRawPointer
    private let monitorCount = Atomic<Int>(0)

    /// Starts nothing yet: the I/O threads come with the first socket.
    public init(ioThreadCount: Int = 1) throws(ZeroMQError) {
        guard let pointer = zmq_ctx_new() else { throw ZeroMQError("create a context") }
        self.pointer = pointer
        guard zmq_ctx_set(pointer, ZMQ_IO_THREADS, Int32(clamping: ioThreadCount)) == 0 else {
            throw ZeroMQError("set the count of I/O threads to \(ioThreadCount)")
        }
    }

    deinit {
        while zmq_ctx_term(pointer) != 0, zmq_errno() == EINTR {}
    }

    /// An inproc endpoint that no other monitor of this context has.
    func makeMonitorEndpoint() -> String {
        let number = monitorCount.add(1, ordering: .relaxed).newValue
        return "inproc://monitor-\(number)"
    }
}
