/// A client's connection to one endpoint, made anew whenever it is lost, until `close()`.
///
///     waiting ──back-off over──▶ connecting ──handshake──▶ open ──lost──▶ ending ──all read──▶ waiting
///        ▲                           │
///        └───────── refused ─────────┘
///
/// Each connection is a dealer socket of its own, so nothing queued for a lost connection goes out on the
/// next (FM-56). Attempts follow each other after 20 ms, doubling to 1 s, until one opens. A refusal, a host
/// name that is not known (yet), an endpoint that cannot be parsed and a lack of descriptors are failed
/// attempts alike: check endpoints that people write with `Endpoint.problem(of:)` first.
///
/// Lives on its polling thread. Each round: `next` until nil, and a round again at `nextDeadline` at the
/// latest.
public struct Link: ~Copyable {
    public enum Event: Equatable, Sendable {
        /// The handshake is done: sends are accepted from now on.
        case opened
        case message([[UInt8]])
        /// An opened connection was lost, and all that it brought has been handed out.
        case closed
    }

    private enum Phase {
        /// nil: since the beginning. Can go to `connecting`.
        case waiting(until: ContinuousClock.Instant?)
        /// `giveUpAt` is set once libzmq has begun to connect: looking up a host name takes what it takes.
        /// Can go to `open`, or back to `waiting`.
        case connecting(giveUpAt: ContinuousClock.Instant?)
        /// Can go to `ending`, or by `reset` to `waiting`.
        case open
        /// The connection is lost; what it brought is being read. Can go to `waiting`.
        case ending
        /// Final.
        case closed
    }

    private struct Connection: ~Copyable {
        /// Before its socket: so nothing is left to report when that ends.
        let monitor: SocketMonitor
        let socket: Socket
    }

    /// What a connection may take from its first sign of life to the end of its handshake.
    private static let handshakeMax = Duration.seconds(2)
    private static let lingerMillisecondsMax = 200

    /// Given up by `close`.
    private var context: Context?
    private let endpoint: String
    private let thread: PollingThread
    private let maxMessageBytes: Int
    private var backOff: BackOff
    private var phase = Phase.waiting(until: nil)
    /// Set while connecting, open or ending.
    private var connection: Connection?
    /// What a host name stands for in this attempt; the next one tries the other family if this one fails.
    private var usesIPv6 = false

    /// Touches nothing: the first `next` begins to connect.
    /// - Parameters:
    ///   - thread: the one that the link is used on.
    ///   - maxMessageBytes: of a frame from the other side; one that is larger ends the connection.
    ///   - seed: of the back-off's jitter.
    public init(context: Context, endpoint: String, thread: PollingThread, maxMessageBytes: Int, seed: UInt64)
    {
        self.context = context
        self.endpoint = endpoint
        self.thread = thread
        self.maxMessageBytes = maxMessageBytes
        backOff = BackOff(seed: seed)
    }

    /// When `next` wants to be called at the latest, though nothing arrives; nil: never.
    public var nextDeadline: ContinuousClock.Instant? {
        switch phase {
        case .waiting(let deadline), .connecting(let deadline): deadline
        case .open, .ending, .closed: nil
        }
    }

    /// What has happened; nil when there is no more for now.
    public mutating func next(now: ContinuousClock.Instant) -> Event? {
        switch phase {
        case .waiting(let until):
            if let until, now < until { return nil }
            connect(now: now)
            return nil
        case .connecting(let giveUpAt):
            return nextWhileConnecting(giveUpAt: giveUpAt, now: now)
        case .open:
            if let frames = receive() { return .message(frames) }
            guard hasEnded() else { return nil }
            // The last messages may have come between the two looks.
            phase = .ending
            return next(now: now)
        case .ending:
            if let frames = receive() { return .message(frames) }
            wait(now: now)
            return .closed
        case .closed:
            return nil
        }
    }

    /// Sends on the open connection, or says `.unreachable`.
    public mutating func send(_ frames: [[UInt8]]) -> Socket.SendOutcome {
        guard case .open = phase else { return .unreachable }
        switch connection {
        case .some(let connection): return connection.socket.send(frames)
        case .none: preconditionFailure("an open link has no connection")
        }
    }

    /// Gives this connection up, for a peer that has fallen silent; the next one follows after the back-off.
    ///
    /// What the connection brought and was not read is lost, and no `.closed` follows: the caller knows.
    public mutating func reset(now: ContinuousClock.Instant) {
        switch phase {
        case .connecting, .open, .ending: wait(now: now)
        case .waiting, .closed: return
        }
    }

    /// Ends the link for good, and gives up its context.
    ///
    /// What is pending goes out within 200 ms. A link that holds the last reference to its context waits for
    /// that here, so that the process may leave right afterwards; else the end of the context waits for it.
    public mutating func close() {
        switch connection {
        // An error here costs the linger only.
        case .some(let connection): try? connection.socket.set(.linger, Self.lingerMillisecondsMax)
        case .none: break
        }
        connection = nil
        context = nil
        phase = .closed
    }

    private mutating func wait(now: ContinuousClock.Instant) {
        connection = nil
        phase = .waiting(until: now + backOff.next())
    }

    private mutating func connect(now: ContinuousClock.Instant) {
        do {
            connection = try makeConnection()
            phase = .connecting(giveUpAt: nil)
        } catch {
            fail(now: now)
        }
    }

    private mutating func fail(now: ContinuousClock.Instant) {
        usesIPv6.toggle()
        wait(now: now)
    }

    private func makeConnection() throws(ZeroMQError) -> Connection {
        guard let context else { preconditionFailure("a closed link connects") }
        let socket = try Socket(context, .dealer)
        try socket.set(.maxMessageBytes, maxMessageBytes)
        try socket.set(.ipv6, usesIPv6 ? 1 : 0)
        // Never. Off altogether (-1), libzmq says nothing of a failed lookup and drops what a lost connection
        // brought.
        try socket.set(.reconnectInterval, Int(Int32.max))
        let monitor = try socket.monitor()
        thread.watch(socket)
        thread.watch(monitor)
        try socket.connect(endpoint)
        return Connection(monitor: monitor, socket: socket)
    }

    private mutating func nextWhileConnecting(
        giveUpAt: ContinuousClock.Instant?, now: ContinuousClock.Instant
    ) -> Event? {
        while let event = nextMonitorEvent() {
            switch Self.meaning(of: event) {
            case .progress:
                phase = .connecting(giveUpAt: giveUpAt ?? now + Self.handshakeMax)
            case .opened:
                phase = .open
                backOff.reset()
                return .opened
            case .ended:
                fail(now: now)
                return nil
            }
        }
        if let giveUpAt, now >= giveUpAt { fail(now: now) }
        return nil
    }

    private func hasEnded() -> Bool {
        while let event = nextMonitorEvent() {
            if case .ended = Self.meaning(of: event) { return true }
        }
        return false
    }

    private enum Meaning {
        case progress, opened, ended
    }

    private static func meaning(of event: MonitorEvent) -> Meaning {
        switch event.kind {
        case .handshakeSucceeded: .opened
        case .disconnected, .closed, .connectRetried, .handshakeFailed: .ended
        case .connectDelayed, .connected, .listening, .bindFailed, .accepted, .closeFailed,
            .other:
            .progress
        }
    }

    private func nextMonitorEvent() -> MonitorEvent? {
        switch connection {
        // Receiving fails for a socket or context that is gone; both are ours to end.
        case .some(let connection): try? connection.monitor.next()
        case .none: preconditionFailure("a link in phase \(phase) has no connection")
        }
    }

    private func receive() -> [[UInt8]]? {
        switch connection {
        case .some(let connection): (try? connection.socket.receive())?.frames
        case .none: preconditionFailure("a link in phase \(phase) has no connection")
        }
    }
}
