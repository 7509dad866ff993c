import CZeroMQ

/// The events of one socket's connections, in the order in which they happened.
///
/// Lives on the thread of its socket, and is polled like a socket. Nobody has to read it in time: events
/// queue up without limit, because an I/O thread that found the queue full would stop serving every socket.
///
/// Of a connection that cannot be taken it says nothing. Where no descriptors are left, libzmq tries to take the one
/// that waits tens of thousands of times a second, and a reader that is slower would never come to an end.
public struct SocketMonitor: ~Copyable {
    let socket: Socket

    init(of monitored: borrowing Socket) throws(ZeroMQError) {
        monitored.handle.checkThread()
        let context = monitored.handle.context
        let endpoint = context.makeMonitorEndpoint()
        let socket = try Socket(context, .pair)
        try socket.set(.receiveHighWaterMark, 0)
        // Connected before there is anything to connect to: no event ever finds the monitor missing.
        try socket.connect(endpoint)
        let events = ZMQ_EVENT_ALL & ~ZMQ_EVENT_MONITOR_STOPPED & ~ZMQ_EVENT_ACCEPT_FAILED
        guard zmq_socket_monitor(monitored.handle.pointer, endpoint, events) == 0 else {
            throw ZeroMQError("monitor")
        }
        monitored.handle.beginMonitoring(by: socket.handle)
        self.socket = socket
    }

    /// The next event, or nil; never blocks.
    public func next() throws(ZeroMQError) -> MonitorEvent? {
        guard let received = try socket.receive() else { return nil }
        return MonitorEvent(received.frames)
    }

    public consuming func close() {}
}

/// Something that happened to a connection.
public struct MonitorEvent: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        case listening, bindFailed, accepted
        case connectDelayed, connected, connectRetried
        case handshakeSucceeded, handshakeFailed(HandshakeFailure)
        case disconnected, closed, closeFailed
        /// One that a later libzmq brought.
        case other(UInt16)
    }

    public enum HandshakeFailure: Equatable, Sendable {
        case connectionLost, protocolViolated, notAuthenticated
    }

    public let kind: Kind
    /// A file descriptor, an `errno` or an interval in milliseconds, as `kind` wants.
    public let value: Int32
    public let endpoint: String

    /// The connection's file descriptor, in the kinds that carry one.
    public var descriptor: Int32? {
        switch kind {
        case .listening, .accepted, .connected, .disconnected, .closed: value
        case .bindFailed, .connectDelayed, .connectRetried, .handshakeSucceeded,
            .handshakeFailed,
            .closeFailed, .other:
            nil
        }
    }

    /// Frame 0 is a 16-bit event and a 32-bit value in the machine's byte order, frame 1 the endpoint.
    init(_ frames: [[UInt8]]) {
        precondition(frames.count == 2 && frames[0].count == 6, "libzmq's monitor sent \(frames)")
        (kind, value) = frames[0].withUnsafeBytes {
            (Kind($0.loadUnaligned(as: UInt16.self)), $0.loadUnaligned(fromByteOffset: 2, as: Int32.self))
        }
        endpoint = String(decoding: frames[1], as: UTF8.self)
    }
}

extension MonitorEvent.Kind {
    fileprivate init(_ number: UInt16) {
        self =
            switch Int32(number) {
            case ZMQ_EVENT_CONNECTED: .connected
            case ZMQ_EVENT_CONNECT_DELAYED: .connectDelayed
            case ZMQ_EVENT_CONNECT_RETRIED: .connectRetried
            case ZMQ_EVENT_LISTENING: .listening
            case ZMQ_EVENT_BIND_FAILED: .bindFailed
            case ZMQ_EVENT_ACCEPTED: .accepted
            case ZMQ_EVENT_CLOSED: .closed
            case ZMQ_EVENT_CLOSE_FAILED: .closeFailed
            case ZMQ_EVENT_DISCONNECTED: .disconnected
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: .handshakeSucceeded
            case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: .handshakeFailed(.connectionLost)
            case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: .handshakeFailed(.protocolViolated)
            case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: .handshakeFailed(.notAuthenticated)
            default: .other(number)
            }
    }
}
