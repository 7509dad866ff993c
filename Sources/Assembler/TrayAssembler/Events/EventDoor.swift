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
    /// A subscription is a topic, or the beginning of one.
    private static let subscriptionBytesMax = 256

    /// What a round takes from this door.
    struct Batch {
        /// Messages that are no subscriptions.
        var malformedCount = 0
        var comers = Comers()
    }

    init(at address: String, context: Context, thread: PollingThread) throws(ZeroMQError) {
        let socket = try Socket(context, .xpub)
        try socket.set(.maxMessageBytes, EventDoor.subscriptionBytesMax)
        try socket.set(.sendHighWaterMark, EventDoor.waitingEventCountMax)
        try socket.set(.handshakeInterval, Callers.handshakeMilliseconds)
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
        while let message = try socket.receive() {
            // libzmq tells the first subscription to a topic, and the end of the last.
            switch (message.frames.count, message.frames[0].first) {
            case (1, 1): subscriptions.insert(Array(message.frames[0].dropFirst()))
            case (1, 0): subscriptions.remove(Array(message.frames[0].dropFirst()))
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
                if caller.failure != nil { batch.comers.strangers.append(caller) }
            case .acceptFailed: batch.comers.acceptFailure = event.value
            case .listening, .bindFailed, .connectDelayed, .connected, .connectRetried,
                .handshakeSucceeded, .closed, .closeFailed, .other:
                continue
            }
        }
        return batch
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
