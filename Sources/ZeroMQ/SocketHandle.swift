import CZeroMQ
import Glibc

/// A libzmq socket, the thread that it lives on, and the polling loop that watches it.
///
/// Safe because every use is checked to be on the socket's own thread, and the only way off that thread is
/// `release()`, which whoever holds the last reference calls once.
final class SocketHandle: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
    /// Reused by every receive on this socket; empty between them.
    let message: UnsafeMutablePointer<zmq_msg_t>
    /// Keeps the context until the socket is closed: terminating it before would wait for ever.
    let context: Context

    private var thread = pthread_self()
    private var watcher: PollingLoop?
    private var isOpen = true
    private var isMonitored = false
    /// The socket whose events this one brings.
    private var monitored: SocketHandle?

    init(_ context: Context, type: Int32) throws(ZeroMQError) {
        guard let pointer = zmq_socket(context.pointer, type) else { throw ZeroMQError("create a socket") }
        self.pointer = pointer
        self.context = context
        message = .allocate(capacity: 1)
        zmq_msg_init(message)
        try set(ZMQ_LINGER, Int32(0), named: "linger")
        try set(ZMQ_IPV6, Int32(1), named: "ipv6")
        if type == ZMQ_ROUTER { try set(ZMQ_ROUTER_MANDATORY, Int32(1), named: "routerMandatory") }
    }

    deinit {
        close()
        message.deallocate()
    }

    /// - Parameter value: as libzmq wants it: an `Int32` or `Int64`.
    func set<Value: BitwiseCopyable>(_ option: Int32, _ value: Value, named name: String) throws(ZeroMQError)
    {
        checkThread()
        var value = value
        guard zmq_setsockopt(pointer, option, &value, MemoryLayout<Value>.size) == 0 else {
            throw ZeroMQError("set \(name) to \(value)")
        }
    }

    func set(_ option: Int32, _ value: [UInt8], named name: String) throws(ZeroMQError) {
        checkThread()
        guard zmq_setsockopt(pointer, option, value, value.count) == 0 else {
            throw ZeroMQError("set \(name)")
        }
    }

    /// Traps unless the caller is on this socket's thread (FM-54).
    @inline(__always)
    func checkThread() {
        precondition(
            pthread_equal(pthread_self(), thread) != 0, "a socket is used off the thread that it lives on")
    }

    /// Moves the socket to the thread of `loop`, which is the calling one.
    func move(to loop: PollingLoop) {
        precondition(isOpen, "a closed socket cannot be watched")
        precondition(watcher == nil || watcher === loop, "a socket is watched by one polling thread")
        thread = pthread_self()
        watcher = loop
    }

    /// Says that `monitor` brings this socket's events until one of the two is closed.
    func beginMonitoring(by monitor: SocketHandle) {
        isMonitored = true
        monitor.monitored = self
    }

    /// Closes the socket: here if this is its thread or it has none that polls, else on the thread that polls
    /// it.
    func release() {
        if let watcher, watcher.retire(self) { return }
        close()
    }

    /// Closes the socket.
    ///
    /// An I/O thread that reports an event to a monitor that is gone would wait for ever, and all sockets of
    /// the context with it. So the reports end before either end of them is closed.
    func close() {
        guard isOpen else { return }
        isOpen = false
        watcher = nil
        endMonitoring()
        monitored?.endMonitoring()
        monitored = nil
        zmq_msg_close(message)
        zmq_close(pointer)
    }

    private func endMonitoring() {
        guard isMonitored else { return }
        isMonitored = false
        zmq_socket_monitor(pointer, nil, 0)
    }
}
