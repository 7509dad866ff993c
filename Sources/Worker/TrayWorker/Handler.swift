import Foundation
@_exported import struct Wire.Content
@_exported import enum Wire.ContentKind
@_exported import struct Wire.LeaseID
@_exported import struct Wire.OrderID
@_exported import enum WorkerCore.HandlerOutcome

/// What a worker does for a station.
public protocol Handler: Sendable {
    /// Runs one attempt, in the cooperative pool, beside others.
    ///
    /// A handler that is to stop is cancelled, and holds its place until it returns. An item may run more
    /// than once, and at the same time: `attempt.lease` is never used twice, and is what side effects should
    /// bear.
    func run(_ attempt: Attempt) async -> HandlerOutcome

    /// The worker is over, and its process may end at once: nothing that a handler has started outside of the
    /// process goes on. Called from any thread, while attempts may still run.
    func abandon()
}

extension Handler {
    public func abandon() {}
}

/// One attempt of one item, as its handler sees it.
public struct Attempt: Sendable {
    public let order: OrderID
    /// From 0.
    public let itemIndex: Int
    /// For people; may be empty.
    public let itemName: String
    public let station: String
    /// 1 for the first try.
    public let number: Int
    /// The fencing token of this attempt; `lease.text` for other systems.
    public let lease: LeaseID
    public let payload: Content
    /// The bytes that a result may have; more is a permanent failure.
    public let resultBytesMax: Int

    public init(
        order: OrderID, itemIndex: Int, itemName: String = "", station: String, number: Int = 1,
        lease: LeaseID,
        payload: Content, resultBytesMax: Int
    ) {
        self.order = order
        self.itemIndex = itemIndex
        self.itemName = itemName
        self.station = station
        self.number = number
        self.lease = lease
        self.payload = payload
        self.resultBytesMax = resultBytesMax
    }
}

extension Content {
    public static func bytes(_ bytes: some Sequence<UInt8>) -> Content { Content(.bytes, Data(bytes)) }

    public static func text(_ text: String) -> Content { Content(.text, Data(text.utf8)) }

    /// - Parameter json: one JSON value.
    public static func json(_ json: String) -> Content { Content(.json, Data(json.utf8)) }

    init(_ kind: ContentKind, _ data: Data) {
        self.init()
        self.kind = kind
        self.data = data
    }
}

extension HandlerOutcome {
    static func failed(_ message: String) -> HandlerOutcome { .failed(message: message, isPermanent: false) }

    static func failedForGood(_ message: String) -> HandlerOutcome {
        .failed(message: message, isPermanent: true)
    }

    /// Of a handler that was told to stop; the core knows why, and says it.
    static let stopped = failed("stopped before it ended")
}
