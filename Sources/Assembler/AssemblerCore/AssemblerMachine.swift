import OrderedCollections
import Wire

/// The assembler's state machine: the only owner of trays and leases.
///
/// `handle` and `tick` lead to changes, which the shell commits, and actions, which it then performs. A round
/// is any number of `handle` and one `tick`; leases, acknowledgements and outcomes are gathered and leave
/// with the `tick`. Where each thing is decided: orders in `+Orders`, workers in `+Kitchen`, results in
/// `+Results`, who gets what in `+Leasing`, outcomes and ends in `+Serving`.
public struct AssemblerMachine: Sendable {
    let configuration: CoreConfiguration
    /// So long a silence makes a worker lost.
    let silenceMax: Duration
    let silenceMaxNanoseconds: Int64
    /// Rounds that are further apart mean that nobody listened.
    private let deafnessMin: Duration
    public let incarnation: UInt32

    var trays = Table<OrderID, Tray>()
    var keys: [String: OrderID] = [:]
    var leases: Leases
    var sessions = Sessions()
    /// When each producer's connection was last heard.
    var producers: [ConnectionID: Instant] = [:]
    var watchers: [OrderID: [Watcher]] = [:]
    var stations: [Station] = []
    var stationIndexes: [String: StationIndex] = [:]
    private var latestStation: StationIndex?
    var timers = Timers()
    /// Unsettled items; of orders whose pages still come, all that were announced.
    var openItemCount = 0
    var openBytes = 0
    var storeIsShort = false
    private(set) var recoveringOrders: [OrderID] = []
    private var lastTick: Instant
    private var hasTicked = false
    private var hasPulse = false
    /// Accepted orders that have not ended.
    var runningOrderCount = 0
    /// Items that have lost a worker, by the worker.
    var lossesByWorker: [WorkerInstance: Set<ItemKey>] = [:]
    /// What has happened since the start, for `ping`.
    var counters = Counters()
    private var lastLeaseNumber: UInt64 = 0
    private var lastSessionNumber: UInt64 = 0

    /// What a round has gathered, and leaves with its tick.
    var round = Round()
    /// Served by rounds that are not committed yet.
    var servedNow: [OrderID] = []
    /// Served before; forgotten once the correction of their elapsed time is committed.
    var servedBefore: [OrderID] = []

    /// - Parameters:
    ///   - incarnation: counts the starts on this store, so that no lease id is used twice.
    ///   - orders: what had not ended, in the order of acceptance. Their items wait for one heartbeat limit, so that
    ///     workers can say what they still run and hold.
    public init(
        configuration: CoreConfiguration, incarnation: UInt32, restoring orders: [RestoredOrder] = [],
        now: Moment
    ) {
        self.configuration = configuration
        silenceMax = configuration.silenceMax
        silenceMaxNanoseconds = silenceMax.nanoseconds
        deafnessMin = configuration.heartbeatInterval * 2
        self.incarnation = incarnation
        leases = Leases(incarnation: incarnation)
        lastTick = now.instant
        for order in orders { restore(order, now: now) }
        recoveringOrders = orders.filter(\.isSealed).map(\.accepted.id)
    }

    /// When `tick` wants to be called at the latest.
    public var nextDeadline: Instant? { timers.next }

    public mutating func handle(_ input: consuming Input, now: Moment) -> Step {
        switch consume input {
        case .worker(let connection, let message): worker(connection, message, now: now)
        case .producer(let connection, let message, let known):
            producer(connection, message, known: known, now: now)
        case .malformed(let connection, let endpoint, let error): malformed(connection, endpoint, error)
        case .handshakeFailed(let endpoint):
            counters.handshakeFailedCount += 1
            note(.handshakeFailed(endpoint))
        case .disconnected(let connection): connectionClosed(connection, .disconnected, now: now)
        case .unreachable(let connection): connectionClosed(connection, .unreachable, now: now)
        case .committed: committed(now: now)
        case .storeIsShort(let isShort): storeIsShort = isShort
        }
        return round.takeStep()
    }

    /// Fires what is due, leases what can be leased, and sends what the round has gathered.
    /// - Parameter drained: nothing that had arrived is left unread. Silence is judged only then.
    public mutating func tick(now: Moment, drained: Bool = true) -> Step {
        if hasTicked { forgiveDeafness(now: now.instant) } else { beginRecovery(now: now.instant) }
        lastTick = now.instant
        while let event = timers.popDue(now.instant) { fire(event, drained: drained, now: now) }
        if drained { convictAccused(now: now) }
        takeUpSuspects()
        endExaminations(now: now.instant)
        leaseOut(now: now)
        if timers.mayBeStale { pruneTimers() }
        flushRound(now: now)
        return round.takeStep()
    }

    /// Workers have one heartbeat limit from the first round on, however long it took to get there.
    private mutating func beginRecovery(now: Instant) {
        hasTicked = true
        guard !recoveringOrders.isEmpty else { return }
        timers.set(.recoveryEnds, at: now.advanced(by: silenceMax))
    }

    private mutating func fire(_ event: TimedEvent, drained: Bool, now: Moment) {
        switch event {
        case .attemptTimeout(let lease):
            // Its result may be in what is not read yet.
            guard drained else { return timers.set(event, at: now.instant.advanced(by: .milliseconds(1))) }
            attemptTimedOut(lease, now: now)
        case .retry(let item): retry(item)
        case .orderDeadline(let order): deadlinePassed(order, now: now)
        case .orderBegins(let order): begin(order, now: now)
        case .fillingSilence(let order): fillingSilent(order, now: now.instant)
        case .workerSilence(let connection): workerSilent(connection, drained: drained, now: now)
        case .producerSilence(let connection): producerSilent(connection, now: now.instant)
        case .recoveryEnds:
            for order in recoveringOrders { begin(order, now: now) }
            recoveringOrders = []
        case .probationPause(let connection, let station):
            endPause(connection, at: station, now: now.instant)
        case .examinationDue(let station):
            stations[station.value].suspects.alarm = nil
            markChanged(station)
        case .pulse:
            hasPulse = false
            if !sessions.isEmpty { keepPulse(now: now.instant) }
        }
    }

    mutating func keepPulse(now: Instant) {
        guard !hasPulse else { return }
        hasPulse = true
        timers.set(.pulse, at: now.advanced(by: configuration.heartbeatInterval))
    }

    /// A process that was stopped, or a machine that slept, heard nobody: that was not the workers' silence.
    private mutating func forgiveDeafness(now: Instant) {
        let gap = lastTick.duration(to: now)
        guard !sessions.isEmpty, gap > deafnessMin else { return }
        sessions.forEach { [lastTick] session in
            if session.lastHeard <= lastTick { session.forgive(gap) }
        }
    }

    private mutating func pruneTimers() {
        let isLive = self.isLive
        timers.prune(isLive: isLive)
    }

    private func isLive(_ event: TimedEvent) -> Bool {
        switch event {
        case .attemptTimeout(let lease): leases[lease]?.state == .running
        case .retry(let item): trays[item.order]?.state(of: item.index) == .resting
        case .orderDeadline(let order), .orderBegins(let order): trays[order]?.isRunning == true
        case .fillingSilence(let order): trays[order]?.phase == .filling
        case .workerSilence(let connection), .probationPause(let connection, _): sessions.contains(connection)
        case .examinationDue(let station): stations[station.value].suspects.alarm != nil
        case .producerSilence(let connection): producers[connection] != nil
        case .recoveryEnds, .pulse: true
        }
    }

    // MARK: Small things that every part needs

    mutating func newLease() -> LeaseKey {
        lastLeaseNumber += 1
        return youngestLease
    }

    /// The last one that was given.
    var youngestLease: LeaseKey { LeaseKey(incarnation: incarnation, number: lastLeaseNumber) }

    mutating func newSessionNumber() -> UInt64 {
        lastSessionNumber += 1
        return lastSessionNumber
    }

    /// Whether an assembler of this store may have given this lease.
    func mayHaveGiven(_ lease: LeaseKey) -> Bool {
        guard lease.number > 0 else { return false }
        return lease.incarnation < incarnation
            || lease.incarnation == incarnation && lease.number <= lastLeaseNumber
    }

    func isOurs(_ lease: LeaseKey) -> Bool { lease.incarnation == incarnation && mayHaveGiven(lease) }

    mutating func station(named name: String) -> StationIndex {
        // Items in a row are often for the same.
        if let latestStation, stations[latestStation.value].name == name { return latestStation }
        if let known = stationIndexes[name] {
            latestStation = known
            return known
        }
        let index = StationIndex(value: stations.count)
        stations.append(Station(name: name))
        stationIndexes[name] = index
        return index
    }

    mutating func markChanged(_ station: StationIndex) {
        guard round.changedStations.last != station else { return }
        round.changedStations.append(station)
    }

    mutating func note(_ note: Note) { round.step.actions.append(.note(note)) }

    mutating func refuse(
        _ connection: ConnectionID, request: UInt64?, _ reason: Refusal.Reason, _ message: String,
        retryAfter: Duration? = nil
    ) {
        let refusal = Refusal.with {
            $0.reason = reason
            $0.message = message
            $0.versions = Frames.versions
            $0.retryAfterMs = UInt64(retryAfter?.milliseconds ?? 0)
        }
        counters.refusedCount += 1
        note(.refused(connection, reason, message))
        if let request {
            round.step.actions.append(.answer(connection, request: request, .refusal(refusal)))
        } else {
            round.step.actions.append(.tellWorker(connection, .refusal(refusal)))
        }
        forgetStranger(connection)
    }

    /// Who has not said a proper hello is not remembered, or strangers would pile up.
    mutating func forgetStranger(_ connection: ConnectionID) {
        guard !sessions.contains(connection), producers[connection] == nil else { return }
        round.forgotten.append(connection)
    }
}

/// One pull of a watcher that waits for its answer.
struct Watcher: Equatable {
    let connection: ConnectionID
    let request: UInt64
    let after: Int
    let countMax: Int
}

/// What a round gathers, so that what is ready goes out together.
struct Round {
    var step = Step()
    var landed = Table<OrderID, [Outcome]>()
    var served: [OrderID] = []
    var acks = Table<ConnectionID, [Ack]>()
    var revokes = Table<ConnectionID, [Revoke]>()
    var changedStations: OrderedSet<StationIndex> = []
    /// Items that wait as suspects since this round.
    var suspects: OrderedDictionary<StationIndex, [ItemKey]> = [:]
    /// Items that were the only lease of a worker that ended in this round.
    var accused: [Accusation] = []
    /// Reserved workers whose last lease has ended, or was revoked.
    var freedExaminers: OrderedSet<ConnectionID> = []
    /// Last in the round: what is said to them still goes out.
    var forgotten: OrderedSet<ConnectionID> = []

    mutating func takeStep() -> Step {
        defer { step = Step() }
        return step
    }
}
