import CZeroMQ
import Glibc

/// A ZeroMQ socket, closed when it goes out of scope.
///
/// It lives on the thread that made it, or on the polling thread that watches it from then on; each use on
/// another thread traps (FM-54). Only its end may come anywhere: a socket that is watched is then closed on
/// its own thread.
public struct Socket: ~Copyable {
    public enum Kind: Sendable {
        case dealer, router, xpub, sub, pair
    }

    public enum SendOutcome: Sendable {
        case sent
        /// Nothing was sent: the peer's queue is at its high-water mark, or a dealer has no peer at all.
        case full
        /// Nothing was sent: a router knows no such peer, or the peer went away during the send.
        case unreachable
        case failed(ZeroMQError)
    }

    let handle: SocketHandle

    /// Makes a socket with linger 0. A router says when a peer is unreachable instead of dropping what it is
    /// sent.
    public init(_ context: Context, _ kind: Kind) throws(ZeroMQError) {
        handle = try SocketHandle(context, type: kind.number)
    }

    deinit {
        handle.release()
    }

    /// Closes the socket now. What is pending goes out while the linger lasts, without blocking the caller.
    public consuming func close() {}

    /// - Throws: also for a linger without limit, with which a shutdown could last for ever (FM-55).
    public func set(_ option: SocketOption, _ value: Int) throws(ZeroMQError) {
        let name = "\(option)"
        if case .linger = option, value < 0 { throw ZeroMQError("set linger to \(value)", code: EINVAL) }
        if case .maxMessageBytes = option { return try handle.set(option.number, Int64(value), named: name) }
        try handle.set(option.number, Int32(clamping: value), named: name)
    }

    /// Has TCP ask a peer that was silent for 30 s whether it is there, and give its connection up when it has not
    /// answered for another 30. Before `bind` or `connect`.
    public func keepAlive() throws(ZeroMQError) {
        try set(.keepAlive, 1)
        try set(.keepAliveIdle, 30)
        try set(.keepAliveInterval, 10)
        try set(.keepAliveCount, 3)
    }

    /// Makes a subscriber take the messages whose first frame begins with `topic`; nothing: all of them.
    public func subscribe(to topic: [UInt8]) throws(ZeroMQError) {
        try handle.set(ZMQ_SUBSCRIBE, topic, named: "subscribe")
    }

    /// Takes connections at `endpoint`: `tcp://ADDRESS:PORT`, where ADDRESS may be `*` and PORT 0, or
    /// `ipc://PATH`.
    ///
    /// - Throws: also where somebody listens at PATH, or a file there is no socket.
    public func bind(_ endpoint: String) throws(ZeroMQError) {
        try useAddressFamily(of: endpoint)
        try SocketFile.checkFree(endpoint)
        guard zmq_bind(handle.pointer, endpoint) == 0 else { throw ZeroMQError("bind", endpoint: endpoint) }
    }

    /// Begins to connect to `endpoint`. Who listens there may come later, and so may its name in the DNS.
    public func connect(_ endpoint: String) throws(ZeroMQError) {
        try useAddressFamily(of: endpoint)
        guard zmq_connect(handle.pointer, endpoint) == 0 else {
            throw ZeroMQError("connect", endpoint: endpoint)
        }
    }

    /// With IPv6 on, libzmq would write an IPv4 address as ::ffff:127.0.0.1, and need IPv6 for it.
    private func useAddressFamily(of endpoint: String) throws(ZeroMQError) {
        handle.checkThread()
        switch Endpoint.addressFamily(of: endpoint) {
        case .ipv4: try set(.ipv6, 0)
        case .ipv6: try set(.ipv6, 1)
        case .unknown: break
        }
    }

    /// The endpoint last bound or connected to, with the port that the system chose.
    public var boundEndpoint: String {
        get throws(ZeroMQError) {
            handle.checkThread()
            var size = 512
            let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: size)
            defer { bytes.deallocate() }
            guard zmq_getsockopt(handle.pointer, ZMQ_LAST_ENDPOINT, bytes, &size) == 0 else {
                throw ZeroMQError("read the bound endpoint")
            }
            return String(cString: bytes)
        }
    }

    /// Sends all `frames` as one message, or nothing of it; never blocks (FM-51).
    ///
    /// libzmq looks for room with the first frame only, and then takes the others; a message whose peer goes
    /// away between two of them is rolled back there. A router's first frame names the peer.
    public func send(_ frames: [[UInt8]]) -> SendOutcome {
        handle.checkThread()
        precondition(!frames.isEmpty, "a message has a frame")
        var outcome = SendOutcome.sent
        for (index, frame) in frames.enumerated() {
            let code = sendFrame(frame, isLast: index == frames.count - 1)
            guard code != 0 else { continue }
            if index == 0 { return Self.outcome(ofCode: code) }
            // libzmq now swallows all frames up to the last. Unless it gets them, it swallows the next
            // message.
            outcome = code == EAGAIN ? .unreachable : Self.outcome(ofCode: code)
        }
        return outcome
    }

    /// - Returns: 0, or why libzmq did not take the frame.
    private func sendFrame(_ frame: [UInt8], isLast: Bool) -> Int32 {
        let flags = isLast ? ZMQ_DONTWAIT : ZMQ_DONTWAIT | ZMQ_SNDMORE
        while true {
            if frame.withUnsafeBytes({ zmq_send(handle.pointer, $0.baseAddress, $0.count, flags) }) >= 0 {
                return 0
            }
            let code = zmq_errno()
            if code != EINTR { return code }
        }
    }

    private static func outcome(ofCode code: Int32) -> SendOutcome {
        switch code {
        case EAGAIN: .full
        case EHOSTUNREACH: .unreachable
        default: .failed(ZeroMQError("send", code: code))
        }
    }

    /// The next message that has arrived whole, or nil; never blocks.
    public func receive() throws(ZeroMQError) -> Received? {
        handle.checkThread()
        let message = handle.message
        var frames: [[UInt8]] = []
        frames.reserveCapacity(3)
        repeat {
            while zmq_msg_recv(message, handle.pointer, ZMQ_DONTWAIT) < 0 {
                switch zmq_errno() {
                case EINTR: continue
                case EAGAIN: return nil
                default: throw ZeroMQError("receive")
                }
            }
            frames.append(
                [UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))))
        } while zmq_msg_more(message) != 0
        let descriptor = zmq_msg_get(message, ZMQ_SRCFD)
        zmq_msg_close(message)
        zmq_msg_init(message)
        return Received(frames: frames, sourceDescriptor: descriptor >= 0 ? descriptor : nil)
    }

    /// Reports what becomes of this socket's connections. Ask before `bind` or `connect`, or the first are
    /// missed.
    ///
    /// One at a time: the second traps until the first is gone.
    public func monitor() throws(ZeroMQError) -> SocketMonitor {
        try SocketMonitor(of: self)
    }
}

/// One message.
public struct Received: Sendable {
    /// At least one; a router's first frame is the routing id of the peer.
    public let frames: [[UInt8]]
    /// The file descriptor of the connection that the last frame came over; nil where there is none (inproc).
    ///
    /// It is the one in the monitor's `.disconnected` for that connection. A closed connection's number is
    /// used again.
    public let sourceDescriptor: Int32?
}

extension Socket.Kind {
    fileprivate var number: Int32 {
        switch self {
        case .dealer: ZMQ_DEALER
        case .router: ZMQ_ROUTER
        case .xpub: ZMQ_XPUB
        case .sub: ZMQ_SUB
        case .pair: ZMQ_PAIR
        }
    }
}
