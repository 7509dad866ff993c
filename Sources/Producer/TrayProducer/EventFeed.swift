import Wire
import ZeroMQ

/// What happens at an assembler, from when one listens: events that happened before are not told again.
///
/// Connects at once, and again by itself. An event that the feed's owner is too slow for is lost, which shows as a
/// gap in the `sequence` of its type; so does whatever happened while the connection was down. Safe to use from
/// any task; one task at a time asks for `next`.
public actor EventFeed {
    /// What a feed brings.
    public enum Item: Equatable, Sendable {
        /// The connection is up: events come from now on.
        case connected
        case disconnected
        /// - Parameters:
        ///   - topic: such as `order.served`.
        ///   - json: a CloudEvent; docs/protocol.md describes it.
        case event(topic: String, json: [UInt8])
    }

    private struct Connection: ~Copyable {
        let monitor: SocketMonitor
        let socket: Socket
    }

    private nonisolated let thread: PollingThread
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let context: Context
    public nonisolated let endpoint: String
    private let topics: [String]
    private var connection: Connection?
    private var isConnected = false
    private var waiting: CheckedContinuation<Item?, Never>?
    private var isClosed = false

    /// Of one topic that is asked for.
    public static let topicBytesMax = 245
    /// Events that wait to be asked for.
    private static let waitingEventCountMax = 10_000

    /// - Parameters:
    ///   - endpoint: The assembler's `events` endpoint.
    ///   - topics: Beginnings of topics: `order.` for all of orders. Empty: everything.
    /// - Throws: `ProducerError.connection` where `endpoint` is none.
    public init(endpoint: String = Defaults.eventsEndpoint, topics: [String] = []) throws(ProducerError) {
        if let problem = Endpoint.problem(of: endpoint) {
            throw .connection(endpoint: endpoint, reason: problem)
        }
        self.endpoint = endpoint
        self.topics = topics.isEmpty ? [""] : topics
        thread = PollingThread(name: "tray-events")
        do {
            context = try Context()
        } catch {
            throw .connection(endpoint: endpoint, reason: error.description)
        }
    }

    /// Waits for what comes next; `nil` once the feed is closed.
    public func next() async throws(ProducerError) -> Item? {
        if isClosed { return nil }
        precondition(waiting == nil, "one task at a time asks a feed")
        do {
            try connect()
        } catch {
            throw .connection(endpoint: endpoint, reason: error.description)
        }
        if let item = take() { return item }
        setWatched(true)
        return await withCheckedContinuation { waiting = $0 }
    }

    /// The thread looks at the sockets only while somebody waits: what nobody asks for would keep it awake.
    private func setWatched(_ isWatched: Bool) {
        switch connection {
        case .none: return
        case .some(let connection):
            if isWatched {
                thread.watch(connection.socket)
                thread.watch(connection.monitor)
            } else {
                thread.unwatch(connection.socket)
                thread.unwatch(connection.monitor)
            }
        }
    }

    /// Ends the connection; who waits gets `nil`.
    public func close() {
        isClosed = true
        connection = nil
        thread.endRounds()
        waiting?.resume(returning: nil)
        waiting = nil
    }

    private func connect() throws(ZeroMQError) {
        guard connection == nil else { return }
        let socket = try Socket(context, .sub)
        try socket.set(.maxMessageBytes, Limits.messageBytesMax)
        try socket.set(.receiveHighWaterMark, EventFeed.waitingEventCountMax)
        for topic in topics { try socket.subscribe(to: Array(topic.utf8)) }
        try socket.keepAlive()
        let monitor = try socket.monitor()
        try socket.connect(endpoint)
        connection = Connection(monitor: monitor, socket: socket)
        thread.onRound { [weak self] in
            self?.assumeIsolated { $0.round() }
            return nil
        }
    }

    private func round() {
        guard waiting != nil, let item = take() else { return }
        setWatched(false)
        waiting?.resume(returning: item)
        waiting = nil
    }

    /// Events of a connection come after its beginning and before its end.
    private func take() -> Item? {
        isConnected ? takeEvent() ?? takeChange() : takeChange()
    }

    private func takeEvent() -> Item? {
        switch connection {
        case .none: return nil
        case .some(let connection):
            // Receiving fails for a socket that is gone; this one is ours to end.
            while let message = try? connection.socket.receive() {
                guard message.frames.count == 2 else { continue }
                return .event(
                    topic: String(decoding: message.frames[0], as: UTF8.self), json: message.frames[1])
            }
            return nil
        }
    }

    private func takeChange() -> Item? {
        switch connection {
        case .none: return nil
        case .some(let connection):
            while let event = try? connection.monitor.next() {
                switch event.kind {
                case .handshakeSucceeded where !isConnected:
                    isConnected = true
                    return .connected
                case .disconnected where isConnected:
                    isConnected = false
                    return .disconnected
                case .listening, .bindFailed, .accepted, .connectDelayed, .connected,
                    .connectRetried, .handshakeSucceeded, .handshakeFailed, .disconnected, .closed,
                    .closeFailed, .other:
                    continue
                }
            }
            return nil
        }
    }
}
