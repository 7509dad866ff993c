import Wire

/// A connection to one of the assembler's endpoints, numbered by the shell. Never used twice.
public struct ConnectionID: Hashable, Comparable, Sendable {
    public var number: UInt64

    public init(_ number: UInt64) { self.number = number }

    public static func < (left: ConnectionID, right: ConnectionID) -> Bool { left.number < right.number }
}

/// What happens to the assembler.
public enum Input: Sendable {
    case worker(ConnectionID, WorkerMessage)
    /// `known` is what the store knows of a `Submit`'s id or key; `nil` for every other message.
    case producer(ConnectionID, ProducerMessage, known: KnownOrder?)
    /// Something that is not of the contract came from there.
    ///
    /// `nil`: from a connection that its endpoint does not tell apart.
    case malformed(ConnectionID?, DoorName, WireError)
    /// A connection to this endpoint ended, or was ended, before it had spoken the protocol of the sockets.
    case handshakeFailed(DoorName)
    /// The connection is closed, or has gone as far as the shell can tell.
    case disconnected(ConnectionID)
    /// A message could not be sent: its peer reads too slowly, or is gone. No fault of the items it holds.
    case unreachable(ConnectionID)
    /// All changes so far are in the store.
    case committed
    /// The store has run out of room, or has room again: new orders are refused, or taken.
    case storeIsShort(Bool)
}

/// The endpoints.
public enum DoorName: Sendable { case orders, kitchen, events }

/// An order that is in the store.
public struct KnownOrder: Equatable, Sendable {
    public var id: OrderID
    public var status: OrderStatus
    public var fingerprint: [UInt8]

    public init(id: OrderID, status: OrderStatus, fingerprint: [UInt8]) {
        self.id = id
        self.status = status
        self.fingerprint = fingerprint
    }
}

/// What the shell must do, after the changes of the round are committed.
public enum Action: Equatable, Sendable {
    case tellWorker(ConnectionID, KitchenMessage.OneOf_Body)
    /// Send this lease, with its payload, to the worker.
    case lease(ConnectionID, Grant)
    case answer(ConnectionID, request: UInt64, OrdersMessage.OneOf_Body)
    /// Answer with up to `countMax` outcomes of the order that landed after `landing`, and its summary.
    case answerOutcomes(ConnectionID, request: UInt64, OrderID, after: Int, countMax: Int)
    /// Answer with the order's summary and slots.
    case answerTray(ConnectionID, request: UInt64, OrderID, from: Int, countMax: Int)
    case answerList(ConnectionID, request: UInt64, ListRequest)
    /// Nothing will be said to this connection any more.
    case forget(ConnectionID)
    /// Something that an operator would want to know.
    case note(Note)
}

/// One attempt, given to a worker.
public struct Grant: Equatable, Sendable {
    public var lease: LeaseID
    public var order: OrderID
    public var index: Int
    public var station: String
    public var attempt: Int
    public var timeout: Duration
}

/// For the log and the counters.
public enum Note: Equatable, Sendable {
    case workerJoined(name: String, session: UInt64, adopted: Int)
    case workerLeft(name: String, session: UInt64)
    /// `leases` went back: first in line.
    case workerLost(name: String, session: UInt64, leases: Int, why: LossReason)
    case orderAccepted(OrderID, items: Int)
    case orderServed(OrderID, OrderStatus, elapsed: Duration)
    case orderAbandoned(OrderID)
    case attemptFailed(OrderID, index: Int, attempt: Int, worker: String, message: String, retryIn: Duration?)
    case attemptTimedOut(OrderID, index: Int, worker: String)
    /// It ended these workers, and is set aside.
    case itemPoisoned(OrderID, index: Int, workers: [String])
    /// The worker gets one lease at a time here, with pauses.
    case probationBegan(worker: String, station: String, failures: Int, message: String)
    case probationEnded(worker: String, station: String)
    /// The worker runs so many suspects, and nothing else.
    case examinationBegan(worker: String, station: String, items: Int)
    /// A result for a slot that had moved on.
    case lateResult(OrderID, index: Int, worker: String)
    case malformed(ConnectionID?, DoorName, String)
    /// Somebody came who does not speak the protocol of the sockets.
    case handshakeFailed(DoorName)
    case refused(ConnectionID, Refusal.Reason, String)
}

/// Why a session ended without a farewell.
public enum LossReason: Equatable, Sendable {
    case disconnected, silent
    /// It does not read what it is sent.
    case unreachable
    /// The same process said hello on another connection.
    case replaced
    /// It broke the contract.
    case refused

    /// Whether the attempts that it had begun count as lost.
    var counts: Bool {
        switch self {
        case .disconnected, .silent: true
        case .unreachable, .replaced, .refused: false
        }
    }
}

/// What a round leads to. Changes come first: no action is performed before they are committed.
public struct Step: Equatable, Sendable {
    public var changes: [Change] = []
    public var actions: [Action] = []

    public init(changes: [Change] = [], actions: [Action] = []) {
        self.changes = changes
        self.actions = actions
    }

    public mutating func append(_ other: consuming Step) {
        changes.join(&other.changes)
        actions.join(&other.actions)
    }
}

extension Array {
    /// Appends the other, which is not needed any more. Only the shorter one is copied.
    fileprivate mutating func join(_ other: inout [Element]) {
        guard count < other.count else { return append(contentsOf: other) }
        swap(&self, &other)
        // Not even with nothing: what is shared would be copied.
        guard !other.isEmpty else { return }
        insert(contentsOf: other, at: 0)
    }
}

/// Limits and defaults of one assembler.
public struct CoreConfiguration: Equatable, Sendable {
    public var program = "assembler"
    public var heartbeatInterval = Defaults.heartbeatInterval
    /// So many intervals of silence make a worker lost.
    public var heartbeatLimit = Defaults.heartbeatLimit
    public var attemptTimeout = Defaults.attemptTimeout
    public var attemptsMax = Defaults.attemptsMax
    public var deadline = Defaults.deadline
    public var openItemCountMax = Limits.openItemCountMax
    public var openBytesMax = Limits.openBytesMax
    /// An order that was never sealed is deleted when it gets no page for so long.
    public var fillingSilenceMax = Duration.seconds(60)
    /// The silence after which a producer's connection is forgotten.
    public var producerSilenceMax = Duration.seconds(60)
    /// The pause before the second attempt; it doubles with each further one.
    public var retryPause = Duration.milliseconds(500)
    public var retryPauseMax = Duration.seconds(60)
    /// An item that ends so many workers in a row, the last one alone, is poisoned. `nil`: never, for fleets
    /// whose workers come and go.
    public var workerDeathsMax: Int? = Defaults.workerDeathsMax
    /// So many failures in a row put a worker on probation at a station.
    public var probationFailureCount = 5
    /// Its first pause; it doubles with each further failure.
    public var probationPause = Duration.milliseconds(100)
    public var probationPauseMax = Duration.seconds(30)

    public init() {}

    public var silenceMax: Duration { heartbeatInterval * heartbeatLimit }
}
