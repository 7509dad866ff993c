import AssemblerCore
import Wire
import ZeroMQ

/// One of the assembler's endpoints: a bound ROUTER, its monitor, and who is behind which connection.
///
/// Lives on the assembler's thread.
struct Door: ~Copyable {
    /// What arrived on one connection.
    struct Arrival {
        let connection: ConnectionID
        let frames: [[UInt8]]
    }

    /// What a round takes from a door.
    struct Batch {
        var arrivals: [Arrival] = []
        /// To be handled after the arrivals, among which are the last words of the dead.
        var closed: [ConnectionID] = []
        /// Connections that came to nothing: no message ever told of them.
        var strangers: [Stranger] = []
        /// Nothing that had arrived is left.
        var isDrained = true
    }

    let endpoint: DoorName
    /// Where it is bound, wildcards resolved.
    let address: String
    private let socket: Socket
    private let monitor: SocketMonitor
    private var connections: [[UInt8]: ConnectionID] = [:]
    private var routes: [ConnectionID: Route] = [:]
    private var descriptors: [Int32: ConnectionID] = [:]
    private var callers = Callers()
    /// Descriptors that a message has come over.
    private var voices: Set<Int32> = []
    /// Closed without a word as far as the last batch could tell: what they said may be in the next one.
    private var mute: [Int32: String] = [:]

    /// Peers that speak an older ZMTP: their messages name no descriptor, and they end as if their handshake had
    /// failed.
    private var nameless: Set<[UInt8]> = []

    private struct Route {
        let routingID: [UInt8]
        let descriptor: Int32?
        let host: String
    }

    init(_ endpoint: DoorName, at address: String, context: Context, thread: PollingThread)
        throws(ZeroMQError)
    {
        let socket = try Socket(context, .router)
        try socket.set(.maxMessageBytes, Limits.messageBytesMax)
        try socket.set(.sendHighWaterMark, Door.waitingMessageCountMax)
        try socket.set(.receiveHighWaterMark, Door.waitingMessageCountMax)
        try socket.set(.handshakeInterval, Callers.handshakeMilliseconds)
        // The core misses a host that has gone within seconds; its connection would stay for ever.
        try socket.keepAlive()
        let monitor = try socket.monitor()
        try socket.bind(address)
        let bound = try socket.boundEndpoint
        thread.watch(socket)
        thread.watch(monitor)
        self.endpoint = endpoint
        self.address = bound
        self.socket = socket
        self.monitor = monitor
    }

    /// Messages that may wait for one peer. What is bulky is pulled, so a healthy peer stays far below.
    private static let waitingMessageCountMax = 10_000

    /// Reads what has arrived, at most `countMax` messages or `bytesMax` bytes, and which connections have
    /// closed.
    mutating func receive(
        countMax: Int, bytesMax: Int, numbers: inout UInt64
    ) throws(ZeroMQError) -> Batch {
        var batch = Batch()
        var received: [Received] = []
        var byteCount = 0
        while true {
            guard received.count < countMax, byteCount < bytesMax else {
                batch.isDrained = false
                break
            }
            guard let message = try socket.receive() else { break }
            byteCount += message.frames.reduce(0) { $0 + $1.count }
            received.append(message)
        }
        let speaking = Set(received.compactMap(\.sourceDescriptor))
        if batch.isDrained { batch.strangers = takeMute(besides: speaking) }
        for message in received where message.sourceDescriptor == nil { noteNameless(message) }
        let (closed, gone) = try drainMonitor(speaking, &batch)
        for descriptor in closed {
            guard let connection = descriptors.removeValue(forKey: descriptor) else { continue }
            batch.closed.append(connection)
        }
        for message in received {
            guard let arrival = admit(message, numbers: &numbers) else { continue }
            batch.arrivals.append(arrival)
        }
        for descriptor in closed where gone.contains(descriptor) {
            // Known only since this batch, and closed since: after the batch, nobody is there.
            guard let connection = descriptors.removeValue(forKey: descriptor) else { continue }
            batch.closed.append(connection)
        }
        return batch
    }

    /// Never blocks. A connection that was forgotten is unreachable.
    func send(_ frames: [[UInt8]], to connection: ConnectionID) -> Socket.SendOutcome {
        guard let route = routes[connection] else { return .unreachable }
        return socket.send([route.routingID] + frames)
    }

    func knows(_ connection: ConnectionID) -> Bool { routes[connection] != nil }

    /// Where this peer is, as far as it is known.
    func place(of connection: ConnectionID) -> DoorPlace? {
        routes[connection].map { DoorPlace(host: $0.host, door: endpoint) }
    }

    mutating func forget(_ connection: ConnectionID) {
        guard let route = routes.removeValue(forKey: connection) else { return }
        connections[route.routingID] = nil
        if let descriptor = route.descriptor, descriptors[descriptor] == connection {
            descriptors[descriptor] = nil
        }
    }

    consuming func close(thread: PollingThread) {
        thread.unwatch(socket)
        thread.unwatch(monitor)
    }

    private mutating func admit(_ message: Received, numbers: inout UInt64) -> Arrival? {
        guard let routingID = message.frames.first else { return nil }
        let frames = Array(message.frames.dropFirst())
        if let known = connections[routingID] { return Arrival(connection: known, frames: frames) }
        numbers += 1
        let connection = ConnectionID(numbers)
        connections[routingID] = connection
        let descriptor = message.sourceDescriptor
        routes[connection] = Route(
            routingID: routingID, descriptor: descriptor, host: callers.host(of: descriptor))
        if let descriptor {
            descriptors[descriptor] = connection
            voices.insert(descriptor)
        }
        return Arrival(connection: connection, frames: frames)
    }

    /// - Parameters:
    ///   - speaking: what this batch has messages of.
    ///   - batch: gets those whose handshake failed.
    /// - Returns: the descriptors that closed, in their order, and those of them that no new connection has
    ///   taken.
    private mutating func drainMonitor(
        _ speaking: Set<Int32>, _ batch: inout Batch
    ) throws(ZeroMQError) -> (closed: [Int32], gone: Set<Int32>) {
        var closed: [Int32] = []
        var gone: Set<Int32> = []
        while let event = try monitor.next() {
            switch event.kind {
            case .disconnected:
                closed.append(event.value)
                gone.insert(event.value)
                let caller = callers.disconnected(event.value)
                let hasSpoken = voices.remove(event.value) != nil || speaking.contains(event.value)
                // With one that speaks ZMTP 2 even an orderly end looks like a failed handshake.
                if hasSpoken { continue }
                switch caller.failure {
                case nil: mute[event.value] = caller.host
                case .connectionLost? where nameless.popFirst() != nil: continue
                case .connectionLost?, .protocolViolated?, .notAuthenticated?:
                    batch.strangers.append(caller)
                }
            case .accepted:
                gone.remove(event.value)
                voices.remove(event.value)
                callers.accepted(event.value)
            case .handshakeFailed(let reason): callers.handshakeFailed(reason)
            case .listening, .bindFailed, .connectDelayed, .connected, .connectRetried,
                .handshakeSucceeded, .closed, .closeFailed, .other:
                continue
            }
        }
        return (closed, gone)
    }

    private mutating func noteNameless(_ message: Received) {
        // Whoever floods us with such connections is told of twice, then.
        if nameless.count >= Door.waitingMessageCountMax { nameless = [] }
        if let routingID = message.frames.first { nameless.insert(routingID) }
    }

    /// Those that closed before this batch, which has all that they can have said, and are not heard in it.
    private mutating func takeMute(besides speaking: Set<Int32>) -> [Stranger] {
        defer { mute = [:] }
        return mute.filter { !speaking.contains($0.key) }.map { Stranger(host: $0.value, failure: nil) }
    }
}
