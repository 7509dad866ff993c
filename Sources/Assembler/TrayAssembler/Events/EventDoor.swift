import AssemblerCore
import Foundation
import Wire
import ZeroMQ

/// The endpoint that tells what happens: an XPUB socket, its monitor, and who has subscribed to what.
///
/// Lives on the assembler's thread. Nothing is encoded while nobody subscribes. A reader that is too slow misses
/// events, and sees that by a gap in the sequence of their topic.
struct EventDoor: ~Copyable {
    /// Where it is bound, wildcards resolved.
    let address: String
    private let socket: Socket
    private let monitor: SocketMonitor
    private var callers = Callers()
    private var subscriptions: Set<[UInt8]> = []
    private var eventCount: UInt64 = 0
    private var sequences: [Event.Topic: UInt64] = [:]
    private let encoder: JSONEncoder

    /// Events that may wait for one reader.
    private static let waitingEventCountMax = 10_000
    /// A subscription: `SUBSCRIBE` with its length (ZMTP 3.1), and a topic of at most 245 bytes. With more, its
    /// frame would be a long one, and libzmq 4.3.4 does not read the topic of those.
    private static let subscriptionBytesMax = 255
    /// Messages of readers that a round takes.
    private static let roundMessageCountMax = 2_000

    /// What a round takes from this door.
    struct Batch {
        /// Messages that are no subscriptions.
        var malformedCount = 0
        /// Connections that came to nothing.
        var strangers: [Stranger] = []
    }

    init(at address: String, context: Context, thread: PollingThread) throws(ZeroMQError) {
        let socket = try Socket(context, .xpub)
        try socket.set(.maxMessageBytes, EventDoor.subscriptionBytesMax)
        try socket.set(.sendHighWaterMark, EventDoor.waitingEventCountMax)
        try socket.set(.handshakeInterval, Callers.handshakeMilliseconds)
        try socket.keepAlive()
        let monitor = try socket.monitor()
        try socket.bind(address)
        self.address = try socket.boundEndpoint
        thread.watch(socket)
        thread.watch(monitor)
        self.socket = socket
        self.monitor = monitor
        encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    }

    var hasSubscribers: Bool { !subscriptions.isEmpty }

    /// Reads who subscribes to what, and who came that does not speak the protocol.
    mutating func receive() throws(ZeroMQError) -> Batch {
        var batch = Batch()
        // What is left wakes the thread again.
        for _ in 0..<EventDoor.roundMessageCountMax {
            guard let message = try socket.receive() else { break }
            // libzmq tells the first subscription to a topic, and the end of the last.
            let topic = Array(message.frames[0].dropFirst())
            switch (message.frames.count, message.frames[0].first) {
            // Others match nothing that is ever told.
            case (1, 1): if EventDoor.isKnown(topic) { subscriptions.insert(topic) }
            case (1, 0): subscriptions.remove(topic)
            default: batch.malformedCount += 1
            }
        }
        while let event = try monitor.next() {
            switch event.kind {
            case .accepted: callers.accepted(event.value)
            case .handshakeFailed(let reason): callers.handshakeFailed(reason)
            case .disconnected:
                // Who has subscribed to nothing is no stranger: only who does not speak the protocol.
                let caller = callers.disconnected(event.value)
                if caller.failure != nil { batch.strangers.append(caller) }
            case .listening, .bindFailed, .connectDelayed, .connected, .connectRetried,
                .handshakeSucceeded, .closed, .closeFailed, .other:
                continue
            }
        }
        return batch
    }

    private static func isKnown(_ topic: [UInt8]) -> Bool {
        Event.Topic.allCases.contains { $0.rawValue.utf8.starts(with: topic) }
    }

    /// So many events of a topic have happened that nobody is told of: its next reader sees the gap.
    mutating func count(_ events: (topic: Event.Topic, count: Int)?) {
        guard let events else { return }
        sequences[events.topic, default: 0] += UInt64(events.count)
    }

    /// Tells those who want to know.
    mutating func publish(_ event: Event, incarnation: UInt32, at wall: WallTime) {
        let topic = Array(event.topic.rawValue.utf8)
        sequences[event.topic, default: 0] += 1
        guard subscriptions.contains(where: topic.starts) else { return }
        eventCount += 1
        let envelope = CloudEvent(
            id: "\(incarnation)-\(eventCount)", type: "tray.\(event.topic.rawValue)", subject: event.subject,
            time: Date(timeIntervalSince1970: Double(wall.milliseconds) / 1_000)
                .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
            sequence: "\(sequences[event.topic, default: 0])", data: event.fields)
        do {
            // A reader that is full misses it: the socket drops, and its sequence says so.
            _ = socket.send([topic, Array(try encoder.encode(envelope))])
        } catch {
            preconditionFailure("an event does not encode: \(error)")
        }
    }

    consuming func close(thread: PollingThread) {
        thread.unwatch(socket)
        thread.unwatch(monitor)
    }
}

/// The envelope. Source: CloudEvents 1.0, and its extension `sequence`, https://github.com/cloudevents/spec
private struct CloudEvent: Encodable {
    let specversion = "1.0"
    let id: String
    let source = "/tray/assembler"
    let type: String
    let subject: String
    let time: String
    let datacontenttype = "application/json"
    /// Counts the events of this type since the assembler's start, told or not.
    let sequence: String
    let sequencetype = "Integer"
    let data: Event.Fields
}
