import Foundation
import Wire

/// An order as a producer writes it, before it is submitted.
///
/// The id is drawn when the value is made and travels with every resend, so that submitting the same value
/// twice makes one order.
public struct NewOrder: Sendable {
    /// What happens to the rest when items end badly.
    public enum FailureRule: Equatable, Sendable {
        /// Every item runs to its own end.
        case isolate
        /// The first item that ends badly cancels the rest.
        case failFast
        /// More than so many bad endings cancel the rest.
        case tolerate(count: Int)
        /// The same in hundredths of a percent of the item count: 500 is 5 %.
        case tolerateShare(hundredthsOfPercent: Int)
    }

    /// How long the order may take from its acceptance.
    public enum Deadline: Equatable, Sendable {
        /// 24 hours.
        case standard
        case none
        /// At least 1 ms.
        case after(Duration)
    }

    public let id: OrderID
    /// For people: at most 200 bytes.
    public var name: String
    /// The idempotency key of repeats from other processes: at most 200 bytes; empty for none.
    public var key: String
    /// At most 1,000,000. Slots stand in this order.
    public var items: [NewItem]
    public var failure: FailureRule
    /// Served once so many items are done; `nil`: when all are settled.
    public var enough: Int?
    /// Items that run at once; `nil`: no limit.
    public var maxParallel: Int?
    public var deadline: Deadline
    /// -100 to 100; higher goes first.
    public var priority: Int
    /// Nothing starts before; `nil`: at once.
    public var notBefore: WallTime?

    public init(
        id: OrderID = .drawn(),
        name: String = "",
        key: String = "",
        items: [NewItem],
        failure: FailureRule = .isolate,
        enough: Int? = nil,
        maxParallel: Int? = nil,
        deadline: Deadline = .standard,
        priority: Int = 0,
        notBefore: WallTime? = nil
    ) {
        self.id = id
        self.name = name
        self.key = key
        self.items = items
        self.failure = failure
        self.enough = enough
        self.maxParallel = maxParallel
        self.deadline = deadline
        self.priority = priority
        self.notBefore = notBefore
    }
}

/// One task of a new order.
public struct NewItem: Sendable {
    /// For people: at most 200 bytes.
    public var name: String
    /// The kind of work: 1 to 64 letters, digits, '.', '_' and '-'.
    public var station: String
    /// At most 1 MiB.
    public var payload: Content
    /// Per attempt, at least 1 ms; `nil`: 10 minutes.
    public var timeout: Duration?
    /// 1 to 1,000; `nil`: 3.
    public var attemptsMax: Int?

    public init(
        name: String = "", station: String, payload: Content = Content(), timeout: Duration? = nil,
        attemptsMax: Int? = nil
    ) {
        self.name = name
        self.station = station
        self.payload = payload
        self.timeout = timeout
        self.attemptsMax = attemptsMax
    }
}

extension OrderID {
    /// A new id, from the system's clock and random numbers.
    public static func drawn() -> OrderID {
        var generator = SystemRandomNumberGenerator()
        return OrderID(at: .now, using: &generator)
    }
}

extension WallTime {
    /// The system's wall clock, now.
    static var now: WallTime { WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000)) }
}

extension Content {
    public static func bytes(_ bytes: some Collection<UInt8>) -> Content { Content(.bytes, Data(bytes)) }

    public static func text(_ text: String) -> Content { Content(.text, Data(text.utf8)) }

    /// - Parameter text: One JSON value; not checked.
    public static func json(_ text: String) -> Content { Content(.json, Data(text.utf8)) }

    private init(_ kind: ContentKind, _ data: Data) {
        self.init()
        self.kind = kind
        self.data = data
    }
}
