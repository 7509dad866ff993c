import DequeModule
import Wire

/// The record of one order: a set of slots, never a counter.
///
///     filling ──last page──▶ running ──policy decides──▶ served
struct Tray {
    enum Phase: Equatable {
        /// Its pages are still coming; nothing is leased. Can go to `running`, or be abandoned.
        case filling
        /// Can go to `served`.
        case running
        /// Final.
        case served
    }

    /// What items of an order have in common.
    struct Kind: Hashable {
        let station: StationIndex
        let timeout: Duration
        let attemptsMax: Int
    }

    private(set) var accepted: AcceptedOrder
    let policy: Policy
    let maxParallel: Int
    let priority: Int
    /// `nil`: losses say nothing about an item here.
    let workerDeathsMax: Int?
    /// When a producer opened it last; `nil` for one of an earlier incarnation.
    private(set) var arrivedAt: Instant?
    private(set) var phase = Phase.filling
    /// How it ended; `nil` until then.
    private(set) var served: ServedRecord?
    private(set) var kinds: [Kind] = []
    /// Of each kind, in nanoseconds.
    private var timeouts: [Int64] = []
    private var kindIndexes: [Kind: UInt32] = [:]
    private(set) var slots: [Slot] = []
    private(set) var counts = TrayCounts()
    private(set) var leasedCount = 0
    private(set) var lastLanding = 0
    private(set) var byteCount = 0
    /// When the last page was taken.
    var filledAt: Instant
    /// Nothing is leased while it is held back: before `not_before`, and while workers may still claim its
    /// items.
    var isHeldBack = false
    /// One for each station that its items need.
    private(set) var lines: [Line] = []
    private var lineIndexes: [StationIndex: Int] = [:]
    /// An item's failures: another worker gets the next attempt, and none counts twice.
    private var failures: [Int: [Failure]] = [:]
    var losses = Losses()

    private struct Failure {
        let lease: LeaseKey
        let worker: WorkerInstance
    }

    init(_ accepted: AcceptedOrder, workerDeathsMax: Int?, arrivedAt: Instant?, now: Instant) {
        self.accepted = accepted
        self.workerDeathsMax = workerDeathsMax
        self.arrivedAt = arrivedAt
        policy = Policy(accepted.spec)
        maxParallel = accepted.spec.maxParallel == 0 ? .max : Int(accepted.spec.maxParallel)
        priority = Int(accepted.spec.priority)
        filledAt = now
    }

    var id: OrderID { accepted.id }
    var itemCount: Int { accepted.itemCount }
    /// Slots, and what is kept about them.
    var entryCount: Int {
        slots.count + kinds.count + failures.values.reduce(0) { $0 + $1.count } + losses.count
            + lines.reduce(0) { $0 + 1 + $1.items.count + $1.retries.count }
    }
    var isFull: Bool { slots.count == itemCount }
    var openCount: Int { slots.count - counts.settled }
    var waitingCount: Int { openCount - leasedCount }
    var isRunning: Bool { phase == .running }
    var mayLease: Bool { isRunning && !isHeldBack && leasedCount < maxParallel }

    var openIndexes: [Int] { openCount == 0 ? [] : slots.indices.filter { !slots[$0].isSettled } }
    /// It was at its `max_parallel` until now.
    var isJustBelowItsLimit: Bool { maxParallel != .max && leasedCount == maxParallel - 1 }

    func kind(of index: Int) -> Kind { kinds[Int(slots[index].kind)] }

    /// - Returns: `nil` for an index that the tray does not have, and while it is filling.
    // Part of its callers: a call would copy the tray.
    @inline(__always)
    func state(of index: Int) -> Slot.State? {
        phase != .filling && slots.indices.contains(index) ? slots[index].state : nil
    }

    // MARK: Filling

    /// A producer opens it again: its time begins anew, so that it does not expire for one that is gone.
    mutating func reopen(now: Moment) -> AcceptedOrder {
        precondition(phase == .filling, "a tray that is \(phase) is opened again")
        accepted.acceptedAt = now.wall
        arrivedAt = now.instant
        return accepted
    }

    /// So many items are about to be added.
    mutating func expect(_ count: Int) { slots.reserveMore(count) }

    mutating func add(_ head: ItemHead, kind: Kind) {
        precondition(phase == .filling && !isFull, "an item for a tray that is \(phase)")
        slots.append(Slot(kind: index(of: kind)))
        byteCount += head.byteCount
        let line = lineIndex(at: kind.station)
        lines[line].items.append(slots.count - 1)
    }

    private mutating func index(of kind: Kind) -> UInt32 {
        // Items in a row are often of the same.
        if let last = slots.last?.kind, kinds[Int(last)] == kind { return last }
        if let known = kindIndexes[kind] { return known }
        let index = UInt32(kinds.count)
        kinds.append(kind)
        timeouts.append(kind.timeout.nanoseconds)
        kindIndexes[kind] = index
        return index
    }

    mutating func seal() {
        precondition(phase == .filling && isFull, "sealed with \(slots.count) of \(itemCount) items")
        phase = .running
    }

    // MARK: Slots

    struct Attempt: Equatable {
        let number: Int
        let timeout: Duration
        /// The same: each lease's end is computed from it.
        let timeoutNanoseconds: Int64
    }

    /// - Returns: the attempt that this lease begins; `nil` when the slot was not free.
    mutating func lease(_ index: Int, _ lease: LeaseKey) -> Attempt? {
        guard slots[index].lease(lease) else { return nil }
        leasedCount += 1
        let kind = Int(slots[index].kind)
        return Attempt(
            number: slots[index].attemptCount, timeout: kinds[kind].timeout,
            timeoutNanoseconds: timeouts[kind])
    }

    mutating func supersede(_ index: Int, by claim: LeaseKey) -> LeaseKey? {
        slots[index].supersede(by: claim)
    }

    /// - Returns: where the item waits again, or `nil` when the slot had moved on.
    mutating func release(_ index: Int, _ lease: LeaseKey, isLoss: Bool) -> StationIndex? {
        guard slots[index].release(lease, isLoss: isLoss) == .offerAgain else { return nil }
        leasedCount -= 1
        return kind(of: index).station
    }

    struct FailedAttempt: Equatable {
        let action: Slot.FailureAction
        let attempt: Int
        let station: StationIndex
    }

    /// - Returns: `nil` when the slot does not count on this lease (any more): a race, not an error.
    mutating func fail(
        _ index: Int, _ lease: LeaseKey, by worker: WorkerInstance, isPermanent: Bool
    ) -> FailedAttempt? {
        guard isRunning else { return nil }
        let attempt = slots[index].attemptCount
        let kind = kind(of: index)
        let action = slots[index].fail(lease, isPermanent: isPermanent, attemptsMax: kind.attemptsMax)
        guard action != .ignore else { return nil }
        leasedCount -= 1
        failures[index, default: []].append(Failure(lease: lease, worker: worker))
        return FailedAttempt(action: action, attempt: attempt, station: kind.station)
    }

    /// Whether this attempt has failed already: its worker may not have heard that this is known.
    func hasFailed(_ index: Int, under lease: LeaseKey) -> Bool {
        failures[index]?.contains { $0.lease == lease } == true
    }

    /// Who failed an item.
    func failedBy(_ index: Int) -> [WorkerInstance] { failures[index]?.map(\.worker) ?? [] }

    mutating func wake(_ index: Int) -> Bool { slots[index].wake() }

    // MARK: Suspects

    /// An item that lost its last workers, two or more: it runs apart.
    func isSuspect(_ index: Int) -> Bool {
        workerDeathsMax != nil && slots[index].lossesInRow >= Slot.suspectLossCount
    }

    /// It waits, and any worker may have it.
    private func isOrdinary(_ index: Int) -> Bool { slots[index].isWaiting && !isSuspect(index) }

    /// Its worker ended with it as its only lease: whether that makes it poison.
    func isConvicted(_ index: Int) -> Bool {
        guard let workerDeathsMax else { return false }
        return slots[index].isWaiting && Int(slots[index].lossesInRow) >= workerDeathsMax
    }

    mutating func takeBackLosses(_ index: Int, from instance: WorkerInstance) -> [LeaseKey] {
        let rowLength = Int(slots[index].lossesInRow)
        let taken = losses.takeBack(index, from: instance)
        for loss in taken { slots[index].takeBackLoss(ofRow: loss.laterCount < rowLength) }
        return taken.map(\.lease)
    }

    struct Landing: Equatable {
        let number: Int
        let station: StationIndex
        /// The lease that the slot counted on until now.
        let lease: LeaseKey?
        let attemptCount: Int
        /// The workers that ended while they ran it: not remembered any more.
        let losses: [Losses.Loss]
        /// It had been at its `max_parallel` until now.
        let isBackBelowLimit: Bool
        /// What the policy says from here on.
        let verdict: Policy.Verdict
    }

    /// - Returns: `nil` when the slot was settled before.
    mutating func settle(_ index: Int, _ status: ItemStatus) -> Landing? {
        let slot = slots[index]
        guard slots[index].settle(status) else { return nil }
        if slot.lease != nil { leasedCount -= 1 }
        counts.add(status)
        if slot.failureCount > 0 { failures[index] = nil }
        lastLanding += 1
        return Landing(
            number: lastLanding, station: kind(of: index).station, lease: slot.lease,
            attemptCount: slot.attemptCount, losses: losses.forget(index),
            isBackBelowLimit: isJustBelowItsLimit,
            verdict: verdict)
    }

    var verdict: Policy.Verdict { policy.verdict(counts, itemCount: itemCount) }

    mutating func serve(_ record: ServedRecord) {
        precondition(isRunning, "served a tray that is \(phase)")
        phase = .served
        served = record
        lines = []
        lineIndexes = [:]
    }

    /// Corrects the elapsed time once the commit that served is over.
    mutating func correctElapsed(_ elapsed: Duration) {
        precondition(phase == .served, "elapsed of a tray that is \(phase)")
        served?.elapsed = elapsed
    }

    // MARK: Restoring

    mutating func restore(_ settled: RestoredOrder.Settled) {
        guard slots[settled.index].settle(settled.status) else {
            preconditionFailure("slot \(settled.index) of \(id) is settled twice in the store")
        }
        counts.add(settled.status)
    }

    mutating func restore(_ attempt: RestoredOrder.Attempt) {
        let (index, record) = (attempt.index, attempt.record)
        let lease = LeaseKey(record.lease)
        slots[index].restore(isLoss: attempt.isLost)
        if attempt.isLost {
            let loss = Losses.Loss(lease: lease, worker: record.worker, instance: record.instance)
            _ = losses.add(loss, to: index)
        } else {
            failures[index, default: []].append(Failure(lease: lease, worker: record.instance))
        }
    }

    mutating func restore(lastLanding: Int) { self.lastLanding = lastLanding }

    // MARK: Lines

    enum Next: Equatable {
        case item(Int, place: Int)
        /// Nothing of this order can be leased at this station until something changes.
        case nothing
        /// What is there waits for another worker.
        case wait
    }

    /// Takes the next item for a station where it is one that never failed: any worker may have that.
    mutating func takeUntried(at station: StationIndex) -> Int? {
        guard mayLease, let line = knownLine(at: station), lines[line].retries.isEmpty,
            let item = lines[line].items.first, isOrdinary(item), slots[item].failureCount == 0
        else { return nil }
        lines[line].items.removeFirst()
        return item
    }

    /// Takes the next item for a station, and chooses who gets it. Retries go before what was never tried.
    /// - Parameter best: the place that gets what anybody may have.
    mutating func takeNext(
        at index: StationIndex, of station: Station, among sessions: Sessions, best: Int
    ) -> Next {
        guard mayLease, let line = knownLine(at: index) else { return .nothing }
        for _ in 0..<lines[line].retries.count {
            guard let item = lines[line].retries.popFirst() else { break }
            if let place = place(for: item, in: station, among: sessions, line: line, best: best) {
                return .item(item, place: place)
            }
        }
        while let item = lines[line].items.popFirst() {
            if let place = place(for: item, in: station, among: sessions, line: line, best: best) {
                return .item(item, place: place)
            }
        }
        return lines[line].isEmpty ? .nothing : .wait
    }

    /// - Returns: `nil` when the slot has moved on, or when the item waits for another worker.
    private mutating func place(
        for item: Int, in station: Station, among sessions: Sessions, line: Int, best: Int
    ) -> Int? {
        guard isOrdinary(item) else { return nil }
        guard slots[item].failureCount > 0 else { return best }
        if case .place(let place) = station.choose(avoiding: failedBy(item), among: sessions) {
            return place
        }
        lines[line].retries.append(item)
        return nil
    }

    enum ReturnAction: Equatable {
        case lease(place: Int)
        /// It stays first in line.
        case wait
        /// It stands in its order's own line until the order may lease again.
        case stepBack
        case ignore
    }

    /// An item came back from a lost worker.
    mutating func takeReturned(
        _ item: Int, at index: StationIndex, of station: Station, among sessions: Sessions, best: Int
    ) -> ReturnAction {
        guard isOrdinary(item) else { return .ignore }
        guard mayLease else {
            let line = lineIndex(at: index)
            lines[line].items.prepend(item)
            return .stepBack
        }
        guard slots[item].failureCount > 0 else { return .lease(place: best) }
        if case .place(let place) = station.choose(avoiding: failedBy(item), among: sessions) {
            return .lease(place: place)
        }
        return .wait
    }

    mutating func addRetry(_ item: Int) -> StationIndex {
        let station = kind(of: item).station
        let line = lineIndex(at: station)
        lines[line].retries.append(item)
        return station
    }

    /// - Returns: whether the order has to be put into the station's queue: it has items to give, and is not
    ///   there.
    mutating func joinQueue(at station: StationIndex) -> Bool {
        guard mayLease, let line = knownLine(at: station),
            !lines[line].isQueued, !lines[line].isEmpty
        else { return false }
        lines[line].isQueued = true
        return true
    }

    /// The order has had its turn.
    /// - Returns: whether it goes to the end of the queue; else it leaves it.
    mutating func endTurn(at station: StationIndex) -> Bool {
        guard let line = knownLine(at: station) else { return false }
        lines[line].isQueued = mayLease && !lines[line].isEmpty
        return lines[line].isQueued
    }

    // Part of its callers, as `state`.
    @inline(__always)
    private func knownLine(at station: StationIndex) -> Int? {
        // Most orders need one station only.
        lines.first?.station == station ? 0 : lineIndexes[station]
    }

    /// The line of this order at a station. Made where there is none.
    private mutating func lineIndex(at station: StationIndex) -> Int {
        if let known = knownLine(at: station) { return known }
        lines.append(Line(station: station))
        lineIndexes[station] = lines.count - 1
        return lines.count - 1
    }
}

/// An order's waiting items at one station. An entry whose slot has moved on is passed over.
struct Line {
    let station: StationIndex
    /// Items that any worker may have, the next one first.
    var items: Deque<Int> = []
    /// Items that failed before: not for those who failed them.
    var retries: Deque<Int> = []
    /// The order stands in the station's queue.
    var isQueued = false

    init(station: StationIndex) { self.station = station }

    var isEmpty: Bool { items.isEmpty && retries.isEmpty }
}

/// The position of a station in the assembler's list of stations.
struct StationIndex: Hashable {
    let value: Int
}
