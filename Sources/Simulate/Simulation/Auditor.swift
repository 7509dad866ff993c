import AssemblerCore
import OrderedCollections
import Wire

/// Compares all that is seen with a simple model of what may be.
///
/// It knows the promises and the contract, and nothing of how the cores keep them: it watches messages, changes
/// and actions. What is in the store it counts by itself; who holds what it follows from what was said.
final class Auditor {
    struct ItemRef: Hashable {
        let order: OrderID
        let index: Int

        var text: String { "\(order)[\(index)]" }
    }

    /// An order as the store has it, by the changes that were committed.
    final class Record {
        let accepted: AcceptedOrder
        var items: [Item] = []
        var isSealed = false
        var isCancelRequested = false
        var isServed = false
        var served: ServedRecord?
        var settled: [ItemStatus?] = []
        var outcomes: [Outcome] = []
        var counts = TrayCounts()
        /// Failures by item.
        var failures: [Int: [LeaseID]] = [:]
        /// Who failed an item.
        var failedBy: [Int: Set<WorkerInstance>] = [:]
        var losses: [Int: [AttemptRecord]] = [:]
        /// Since the last failure.
        var lossesInRow: [Int: Int] = [:]
        /// Nothing of it may be leased before.
        var waitsUntil = Instant(nanoseconds: 0)
        var notBefore: Int64 { Int64(clamping: accepted.spec.notBeforeMs) }
        var priority: Int { Int(accepted.spec.priority) }
        var turns = Turns()

        init(_ accepted: AcceptedOrder) { self.accepted = accepted }
    }

    /// A lease as its worker holds it.
    struct Held {
        let item: ItemRef
        let station: String
        let connection: ConnectionID
        var isRevoked = false
    }

    private struct StartedLease: Hashable {
        let worker: Int
        let process: Int
        let lease: LeaseID
    }

    struct Session {
        let number: UInt64
        let name: String
        let instance: WorkerInstance
        var capacities: OrderedDictionary<String, Int>
        var isDraining = false
        /// Leases held, by station.
        var counts: [String: Int] = [:]
    }

    let plan: Plan
    private(set) var violation: String?
    private(set) var roundCount = 0
    private(set) var inputCount = 0
    private(set) var outcomeCount = 0
    var records: OrderedDictionary<OrderID, Record> = [:]

    // What the running assembler has said. Gone with it.
    var incarnation: UInt32 = 0
    var youngestLease = LeaseID()
    /// Never walked but in the order of the leases.
    var held: [LeaseID: Held] = [:]
    /// The lease that a slot counts on. Only ever looked up.
    var current: [ItemRef: LeaseID] = [:]
    /// Items that came back from their workers and have never failed: they go first.
    var returned: OrderedSet<ItemRef> = []
    /// Those of them that came back when their orders could not be leased. Only ever looked up.
    var steppedBack: Set<ItemRef> = []
    /// How many of an order's slots count on leases. Only ever looked up.
    var currentCounts: [OrderID: Int] = [:]
    /// What had begun before the assembler's start, until its first round.
    var restoredOrders: [OrderID] = []
    /// Items that came back from a worker, or were claimed: who gets them is not a matter of turns. Only ever
    /// looked up.
    var cameBack: Set<ItemRef> = []
    /// Counts leases and rounds.
    var turnClock = 0
    /// Leases given, by station. Only ever looked up.
    var leaseCounts: [String: Int] = [:]
    /// Which of them was the last that can only have been a tenth. Only ever looked up.
    var lastTenths: [String: Int] = [:]
    var sessions: OrderedDictionary<ConnectionID, Session> = [:]
    /// Claims of this round's hellos.
    var claims: OrderedDictionary<LeaseID, Held> = [:]
    /// Losses of this round, by their leases: whether the worker held nothing else.
    var lostNow: OrderedDictionary<LeaseID, (held: Held, isAlone: Bool)> = [:]
    /// Results of this round. Only ever looked up.
    var results: [LeaseID: [ItemResult]] = [:]
    /// Leases of this round.
    var grantedNow: [(grant: Grant, isOutOfTurn: Bool, at: Moment)] = []
    var runningOrderCount = 0
    /// Those that are being submitted among them.
    var openCount = 0
    /// Workers on probation, by name, and where.
    var probations: OrderedDictionary<String, Set<String>> = [:]
    /// Unsettled items that lost their last workers, two or more. Only ever counted.
    var suspects: Set<ItemRef> = []
    /// No running order's deadline is earlier.
    var nextDeadline = Int64.max

    // What is true, whoever knows it.
    /// Handlers that have succeeded. Only ever looked up.
    var successes: Set<ItemRef> = []
    var permanentFailures: Set<ItemRef> = []
    /// Items that a liar has spoken of.
    var lies: Set<ItemRef> = []
    private var startedLeases: Set<StartedLease> = []
    var receipts: Set<OrderID> = []
    var poisonDeaths: OrderedDictionary<ItemRef, Int> = [:]
    var sharedMax: [ItemRef: Int] = [:]
    var restartCount = 0

    init(plan: Plan) { self.plan = plan }

    /// The first thing that is wrong ends the run.
    func blame(_ what: @autoclosure () -> String) {
        if violation == nil { violation = what() }
    }

    func expect(_ isTrue: Bool, _ what: @autoclosure () -> String) {
        if !isTrue { blame(what()) }
    }

    /// A bench has rounds by the thousand, and much in each.
    var isTimeForEverything: Bool { roundCount % (plan.isBusy ? 1_000 : 100) == 0 }

    func roundEnded(now: Moment) {
        checkGrants()
        checkNobodyIdles(now: now)
        beginWaits(now: now)
        if now.wall.milliseconds - Auditor.deadlineSlack > nextDeadline { checkDeadlines(now: now) }
        forgetRound()
        roundCount += 1
    }

    private func checkDeadlines(now: Moment) {
        nextDeadline = .max
        for (order, record) in records where record.isSealed && !record.isServed {
            guard let deadline = deadline(of: record) else { continue }
            nextDeadline = min(nextDeadline, deadline)
            expect(
                now.wall.milliseconds <= deadline + Auditor.deadlineSlack,
                "\(order) runs, and its deadline passed \(now.wall.milliseconds - deadline) ms ago")
        }
    }

    /// What is lost where milliseconds are counted from nanoseconds.
    private static let deadlineSlack: Int64 = 2

    /// Wall time in milliseconds; `nil`: never.
    func deadline(of record: Record) -> Int64? {
        let spec = record.accepted.spec
        let span = spec.hasDeadlineMs ? Int64(spec.deadlineMs) : plan.configuration.deadline.milliseconds
        return span > 0 ? record.accepted.acceptedAt.milliseconds + span : nil
    }

    private func forgetRound() {
        lostNow = [:]
        results = [:]
        grantedNow = []
    }

    func countInput() { inputCount += 1 }

    func countOutcomes(_ count: Int) { outcomeCount += count }

    // MARK: The assembler comes and goes

    func assemblerStarted(incarnation: UInt32, _ restored: [RestoredOrder], now: Moment) {
        expect(incarnation > self.incarnation, "incarnation \(incarnation) follows \(self.incarnation)")
        self.incarnation = incarnation
        youngestLease = LeaseID(incarnation: incarnation, number: 0)
        let open = records.filter { !$0.value.isServed }
        expect(
            restored.map(\.accepted.id) == Array(open.keys),
            "the restart finds \(restored.count) orders that are not over, and \(open.count) were committed")
        for order in restored {
            guard let record = records[order.accepted.id] else { continue }
            expect(
                order.settled.map(\.index) == record.outcomes.map { Int($0.index) }
                    && order.isSealed == record.isSealed && order.items.count == record.items.count
                    && order.attempts.count == record.attemptCount,
                "the restart finds order \(order.accepted.id) other than it was committed")
            // New orders do not wait, and one whose pages still come is new.
            guard record.isSealed else { continue }
            restoredOrders.append(order.accepted.id)
            records[order.accepted.id]?.turns = record.turnsAfterRestart
        }
        restartCount += 1
    }

    func assemblerEnded() {
        held = [:]
        current = [:]
        sessions = [:]
        claims = [:]
        forgetRound()
        currentCounts = [:]
        returned = []
        restoredOrders = []
        steppedBack = []
        cameBack = []
        leaseCounts = [:]
        lastTenths = [:]
        probations = [:]
    }

    // MARK: What is true

    func started(_ lease: Lease, by worker: Int, process: Int) {
        let key = StartedLease(worker: worker, process: process, lease: lease.lease)
        let isNew = startedLeases.insert(key).inserted
        expect(
            isNew, "\(lease.lease.text) is started twice by worker \(worker + 1)"
        )
        guard let item = ItemRef(lease) else { return blame("a lease names no order") }
        guard let record = records[item.order], record.items.indices.contains(item.index) else {
            return blame("\(item.text) is started, and is not in the store")
        }
        expect(record.isSealed, "\(item.text) is started before its order is accepted")
        expect(
            lease.payload == record.items[item.index].payload
                && lease.station == record.items[item.index].station
                && lease.name == record.items[item.index].name,
            "\(item.text) is started with what is another item's")
    }

    func succeeded(_ lease: Lease) {
        if let item = ItemRef(lease) { successes.insert(item) }
    }

    func failedForGood(_ lease: Lease) {
        if let item = ItemRef(lease) { permanentFailures.insert(item) }
    }

    func poisonKilled(_ lease: Lease) {
        guard let item = ItemRef(lease) else { return }
        poisonDeaths[item, default: 0] += 1
        checkDeaths(of: item)
    }

    func workerEnded(running: [Lease]) {
        for lease in running {
            guard let item = ItemRef(lease) else { continue }
            sharedMax[item] = max(sharedMax[item] ?? 0, running.count)
        }
    }

    func lied(_ result: ItemResult) {
        guard let order = OrderID(result.order) else { return }
        lies.insert(ItemRef(order: order, index: Int(result.index)))
    }

    // MARK: What customers hear

    func customerHasReceipt(_ order: OrderID) {
        receipts.insert(order)
        expect(records[order]?.isSealed == true, "a receipt for \(order), which is not in the store")
    }

    func customerHears(_ batch: OutcomeBatch, after landing: Int) {
        told(batch.summary, "outcomes")
        guard let order = OrderID(batch.summary.order), let record = records[order] else { return }
        let theirs = Array(record.outcomes.dropFirst(landing).prefix(batch.outcomes.count))
        expect(
            theirs == batch.outcomes,
            "a watcher of \(order) hears, after landing \(landing), what is not in the store")
    }

    /// An answer tells how an order stands: no better than the store has it.
    func told(_ summary: OrderSummary, _ what: String) {
        guard let order = OrderID(summary.order), let record = records[order], record.isSealed else {
            return blame("\(what) of an order that was not accepted")
        }
        if summary.status.hasEnded {
            expect(
                record.served?.status == summary.status,
                "\(what) of \(order): told as \(summary.status.text), stored as "
                    + (record.served?.status.text ?? "running"))
        }
        expect(
            Int(summary.lastLanding) <= record.outcomes.count,
            "\(what) of \(order): landing \(summary.lastLanding) is told, \(record.outcomes.count) are stored"
        )
        expect(
            Int(summary.itemCount) == record.accepted.itemCount,
            "\(what) of \(order): \(summary.itemCount) items are told")
    }

    func customerHasAll(_ outcomes: [Outcome], _ summary: OrderSummary) {
        guard let order = OrderID(summary.order), let record = records[order] else { return }
        expect(record.isServed, "\(order) is told as over, and runs")
        expect(
            Set(outcomes.map(\.index)).count == record.accepted.itemCount
                && outcomes.count == record.accepted.itemCount,
            "a customer of \(order) has \(outcomes.count) outcomes for \(record.accepted.itemCount) items")
    }
}

extension Auditor.ItemRef {
    init?(_ lease: Lease) {
        guard let order = OrderID(lease.order) else { return nil }
        self.init(order: order, index: Int(lease.index))
    }
}

extension Auditor.Record {
    var attemptCount: Int {
        failures.values.reduce(0) { $0 + $1.count } + losses.values.reduce(0) { $0 + $1.count }
    }

    /// What was tried before is not waiting for its first turn.
    fileprivate var turnsAfterRestart: Turns {
        var turns = Turns(items)
        for index in items.indices where isSettled(index) || failures[index] != nil || losses[index] != nil {
            turns.tried(index, items)
        }
        return turns
    }

    func isSettled(_ index: Int) -> Bool { settled.indices.contains(index) && settled[index] != nil }
}
