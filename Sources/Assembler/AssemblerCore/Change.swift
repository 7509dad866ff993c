import Wire

/// A fact that a round commits. The store writes all changes of a round in their order, in one transaction.
public enum Change: Equatable, Sendable {
    /// The order's head. Its first page follows as a `page`.
    case accepted(AcceptedOrder)
    /// The next items, as they travelled.
    case page(order: OrderID, firstIndex: Int, items: [Item])
    /// The head once more, of an order whose pages are not all here: a producer has opened it again, and its time
    /// counts from now.
    case reopened(AcceptedOrder)
    /// The last page is here: the order is accepted.
    case sealed(order: OrderID)
    /// It was never sealed, and no page came for too long: nothing of it stays.
    case abandoned(order: OrderID)
    case attemptFailed(order: OrderID, index: Int, AttemptRecord)
    case attemptLost(order: OrderID, index: Int, AttemptRecord)
    /// An attempt that was lost was not: its worker is back.
    case lossTakenBack(order: OrderID, index: Int, LeaseID, from: WorkerInstance)
    /// Slots got their outcomes: landing numbers ascend without gaps.
    case settled(order: OrderID, outcomes: [Outcome])
    case cancelRequested(order: OrderID, at: WallTime)
    case served(order: OrderID, ServedRecord)
    /// Corrects the elapsed time of `served`: measured after the commit that served.
    case elapsed(order: OrderID, Duration)
}

/// An order's head.
public struct AcceptedOrder: Equatable, Sendable {
    public var id: OrderID
    public var spec: OrderSpec
    public var itemCount: Int
    public var fingerprint: [UInt8]
    /// When a producer opened it last, before it was sealed. Its deadline counts from here.
    public var acceptedAt: WallTime

    public init(id: OrderID, spec: OrderSpec, itemCount: Int, fingerprint: [UInt8], acceptedAt: WallTime) {
        self.id = id
        self.spec = spec
        self.itemCount = itemCount
        self.fingerprint = fingerprint
        self.acceptedAt = acceptedAt
    }
}

/// The 16 random bytes that a worker process draws once.
public struct WorkerInstance: Hashable, Sendable {
    public var bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }
}

/// How an attempt ended without an outcome.
public struct AttemptRecord: Equatable, Sendable {
    /// 1 for the first.
    public var attempt: Int
    /// A repeated report of it is told by this.
    public var lease: LeaseID
    public var worker: String
    public var instance: WorkerInstance
    /// It was its worker's only lease.
    public var isAlone: Bool
    /// Empty for a lost attempt.
    public var error: ItemError
    public var at: WallTime

    public init(
        attempt: Int, lease: LeaseID, worker: String, instance: WorkerInstance, isAlone: Bool,
        error: ItemError,
        at: WallTime
    ) {
        self.attempt = attempt
        self.lease = lease
        self.worker = worker
        self.instance = instance
        self.isAlone = isAlone
        self.error = error
        self.at = at
    }
}

/// How many slots of a tray were settled with what.
public struct TrayCounts: Equatable, Sendable {
    public var done = 0
    public var failed = 0
    public var cancelled = 0
    public var expired = 0
    public var poisoned = 0

    public init() {}

    public var settled: Int { done + settledBadly }
    public var settledBadly: Int { failed + cancelled + expired + poisoned }

    public mutating func add(_ status: ItemStatus) {
        switch status {
        case .done: done += 1
        case .failed: failed += 1
        case .cancelled: cancelled += 1
        case .expired: expired += 1
        case .poisoned: poisoned += 1
        case .waiting, .leased, .UNRECOGNIZED: preconditionFailure("\(status) settles nothing")
        }
    }
}

/// How an order ended.
public struct ServedRecord: Equatable, Sendable {
    public var status: OrderStatus
    public var at: WallTime
    public var elapsed: Duration
    public var counts: TrayCounts

    public init(status: OrderStatus, at: WallTime, elapsed: Duration, counts: TrayCounts) {
        self.status = status
        self.at = at
        self.elapsed = elapsed
        self.counts = counts
    }
}

/// What leasing needs to know of an item; its payload stays in the store.
public struct ItemHead: Equatable, Sendable {
    public var station: String
    public var timeout: Duration?
    public var attemptsMax: Int?
    /// Of the payload.
    public var byteCount: Int

    public init(station: String, timeout: Duration?, attemptsMax: Int?, byteCount: Int) {
        self.station = station
        self.timeout = timeout
        self.attemptsMax = attemptsMax
        self.byteCount = byteCount
    }

    public init(_ item: Item) {
        station = item.station
        timeout = item.hasTimeoutMs ? .milliseconds(Int64(clamping: item.timeoutMs)) : nil
        attemptsMax = item.hasAttemptsMax ? Int(item.attemptsMax) : nil
        byteCount = item.payload.data.count
    }
}

/// An order that had not ended when the assembler did.
public struct RestoredOrder: Equatable, Sendable {
    public struct Settled: Equatable, Sendable {
        public var index: Int
        public var status: ItemStatus

        public init(index: Int, status: ItemStatus) {
            self.index = index
            self.status = status
        }
    }

    public struct Attempt: Equatable, Sendable {
        public var index: Int
        /// Lost with its worker; else it failed.
        public var isLost: Bool
        public var record: AttemptRecord

        public init(index: Int, isLost: Bool, record: AttemptRecord) {
            self.index = index
            self.isLost = isLost
            self.record = record
        }
    }

    public var accepted: AcceptedOrder
    public var isSealed: Bool
    public var isCancelRequested: Bool
    /// By index; fewer than `accepted.itemCount` while it is not sealed.
    public var items: [ItemHead]
    public var settled: [Settled]
    /// In the order in which they were committed.
    public var attempts: [Attempt]
    public var lastLanding: Int

    public init(
        accepted: AcceptedOrder, isSealed: Bool, isCancelRequested: Bool, items: [ItemHead],
        settled: [Settled],
        attempts: [Attempt], lastLanding: Int
    ) {
        self.accepted = accepted
        self.isSealed = isSealed
        self.isCancelRequested = isCancelRequested
        self.items = items
        self.settled = settled
        self.attempts = attempts
        self.lastLanding = lastLanding
    }
}
