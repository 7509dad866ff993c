import AssemblerCore
import OrderedCollections
import ProducerCore
import Wire

/// Compares all that is seen with a simple model of what may be.
///
/// It knows the promises and the contract, and nothing of how the cores keep them: it watches messages, changes
/// and actions. What is in the store it counts by itself; who holds what it follows from what was said.
struct Auditor: ~Copyable {
    private struct StartedLease: Hashable {
        let worker: Int
        let process: Int
        let lease: LeaseKey

        /// Nearly all are of different leases.
        func hash(into hasher: inout Hasher) { hasher.combine(lease) }
    }

    /// What was found first. In a place of its own, so that a check that only looks may blame.
    private final class Finding {
        var violation: String?
    }

    let plan: Plan
    private let finding = Finding()
    private(set) var roundCount = 0
    private(set) var inputCount = 0
    private(set) var outcomeCount = 0
    /// In the order of acceptance.
    var records: OrderedDictionary<OrderID, Record> = [:]
    /// Those of them that are not served.
    var unserved: [Record] = []
    var stations = StationNumbers()

    // What the running assembler has said. Gone with it.
    var incarnation: UInt32 = 0
    var youngestLease = LeaseKey(incarnation: 0, number: 0)
    /// Never walked but in the order of the leases.
    var held: [LeaseKey: Held] = [:]
    /// The lease that a slot counts on.
    var current = ItemTable<LeaseKey>()
    /// Items that came back from their workers and have never failed: they go first.
    var returned: OrderedSet<ItemRef> = []
    /// Those of them that came back when their orders could not be leased.
    var steppedBack = ItemSet()
    /// What had begun before the assembler's start, until its first round.
    var restoredOrders: [OrderID] = []
    /// Items that came back from a worker, or were claimed: who gets them is not a matter of turns.
    var cameBack = ItemSet()
    /// Counts leases and rounds.
    var turnClock = 0
    /// Leases given at each station, by its number.
    var leaseCounts: [LeaseCount] = []
    var sessions: OrderedDictionary<ConnectionID, Session> = [:]
    /// Claims of this round's hellos.
    var claims: OrderedDictionary<LeaseKey, Held> = [:]
    /// Losses of this round, by their leases: whether the worker held nothing else.
    var lostNow: OrderedDictionary<LeaseKey, (held: Held, isAlone: Bool)> = [:]
    /// What was brought in this round, by its lease. Only ever looked up.
    var results: [LeaseKey: Brought] = [:]
    /// Leases of this round.
    var grantedNow: [(grant: Grant, station: Int, isOutOfTurn: Bool, at: Moment)] = []
    var runningOrderCount = 0
    /// Those that are being submitted among them.
    var openCount = 0
    /// Workers on probation, by name, and where.
    var probations: OrderedDictionary<String, Set<String>> = [:]
    /// Unsettled items that lost their last workers, two or more.
    var suspects = ItemSet()
    /// No running order's deadline is earlier.
    var nextDeadline = Int64.max

    // What is true, whoever knows it.
    /// Items with a handler that has succeeded.
    var successes = ItemSet()
    var permanentFailures = ItemSet()
    /// Items that a liar has spoken of.
    var lies = ItemSet()
    private var startedLeases: Set<StartedLease> = []
    var receipts: Set<OrderID> = []
    var poisonDeaths: [ItemRef: Int] = [:]
    var sharedMax: [ItemRef: Int] = [:]
    var restartCount = 0

    init(plan: Plan) { self.plan = plan }

    var violation: String? { finding.violation }

    /// The first thing that is wrong ends the run.
    func blame(_ what: @autoclosure () -> String) {
        if finding.violation == nil { finding.violation = what() }
    }

    func expect(_ isTrue: Bool, _ what: @autoclosure () -> String) {
        if !isTrue { blame(what()) }
    }

    /// A bench has rounds by the thousand, and much in each.
    var isTimeForEverything: Bool { roundCount % (plan.isBusy ? 1_000 : 100) == 0 }

    mutating func roundEnded(now: Moment) {
        checkGrants()
        checkNobodyIdles(now: now)
        beginWaits(now: now)
        if now.wall.milliseconds - Auditor.deadlineSlack > nextDeadline { checkDeadlines(now: now) }
        forgetRound()
        roundCount += 1
    }

    private mutating func checkDeadlines(now: Moment) {
        nextDeadline = .max
        for record in unserved where record.isSealed {
            guard let deadline = deadline(of: record) else { continue }
            nextDeadline = min(nextDeadline, deadline)
            expect(
                now.wall.milliseconds <= deadline + Auditor.deadlineSlack,
                "\(record.id) runs, and its deadline passed \(now.wall.milliseconds - deadline) ms ago")
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

    private mutating func forgetRound() {
        if !lostNow.isEmpty { lostNow = [:] }
        results.removeAll(keepingCapacity: true)
        grantedNow.removeAll(keepingCapacity: true)
    }

    mutating func countInput() { inputCount += 1 }

    mutating func countOutcomes(_ count: Int) { outcomeCount += count }

    // MARK: The assembler comes and goes

    mutating func assemblerStarted(incarnation: UInt32, _ restored: [RestoredOrder], now: Moment) {
        expect(incarnation > self.incarnation, "incarnation \(incarnation) follows \(self.incarnation)")
        self.incarnation = incarnation
        youngestLease = LeaseKey(incarnation: incarnation, number: 0)
        expect(
            restored.map(\.accepted.id) == unserved.map(\.id),
            "the restart finds \(restored.count) orders that are not over, and \(unserved.count) were committed"
        )
        for order in restored {
            guard let record = records[order.accepted.id] else { continue }
            expect(
                order.accepted == record.accepted
                    && order.settled.map(\.index) == record.outcomes.map { Int($0.index) }
                    && order.isSealed == record.isSealed && order.items.count == record.items.count
                    && order.attempts.count == record.attemptCount,
                "the restart finds order \(order.accepted.id) other than it was committed")
            // New orders do not wait, and one whose pages still come is new.
            guard record.isSealed else { continue }
            restoredOrders.append(order.accepted.id)
            record.forgetTurns(&stations)
        }
        restartCount += 1
    }

    mutating func assemblerEnded() {
        held = [:]
        current.removeAll()
        sessions = [:]
        claims = [:]
        forgetRound()
        returned = []
        restoredOrders = []
        steppedBack.removeAll()
        cameBack.removeAll()
        leaseCounts = []
        probations = [:]
    }

    // MARK: What is true

    mutating func started(_ lease: Lease, of item: ItemRef, by worker: Int, process: Int) {
        let key = StartedLease(worker: worker, process: process, lease: LeaseKey(lease.lease))
        let isNew = startedLeases.insert(key).inserted
        expect(
            isNew, "\(lease.lease.text) is started twice by worker \(worker + 1)"
        )
        guard let record = records[item.order], record.items.indices.contains(item.index) else {
            return blame("\(item.text) is started, and is not in the store")
        }
        expect(record.isSealed, "\(item.text) is started before its order is accepted")
        let ordered = record.items[item.index]
        expect(
            lease.payload == ordered.payload && lease.station == ordered.station
                && lease.name == ordered.name,
            "\(item.text) is started with what is another item's")
    }

    mutating func succeeded(_ item: ItemRef) { successes.insert(item) }

    mutating func failedForGood(_ item: ItemRef) { permanentFailures.insert(item) }

    mutating func poisonKilled(_ item: ItemRef) {
        poisonDeaths[item, default: 0] += 1
        checkDeaths(of: item)
    }

    mutating func workerEnded(running: [ItemRef]) {
        for item in running { sharedMax[item] = max(sharedMax[item] ?? 0, running.count) }
    }

    mutating func lied(_ result: ItemResult) {
        guard let order = OrderID(result.order) else { return }
        lies.insert(ItemRef(order: order, index: Int(result.index)))
    }

    // MARK: What customers hear

    /// Whoever brought the pages, and under whatever id: what was accepted is what the customer submitted, and not
    /// before it was.
    ///
    /// - Parameter since: when the customer began to submit it, unless it was known.
    mutating func customerHasReceipt(
        _ order: OrderID, for submission: Submission, since: WallTime?
    ) {
        receipts.insert(order)
        guard let record = records[order], record.isSealed else {
            return blame("a receipt for \(order), which is not in the store")
        }
        expect(
            record.accepted.spec == submission.spec && record.items == submission.items,
            "a receipt for \(order), which has other content in the store than was submitted")
        expect(
            since.map { $0 <= record.accepted.acceptedAt } ?? true,
            "the time of \(order) counts from before its producer came")
    }

    func customerHears(_ batch: OutcomeBatch, after landing: Int) {
        told(batch.summary, "outcomes")
        guard let order = OrderID(batch.summary.order), let record = records[order] else { return }
        let isStored = batch.outcomes.indices.allSatisfy { position in
            record.outcomes.indices.contains(landing + position)
                && record.outcomes[landing + position] == batch.outcomes[position]
        }
        expect(
            isStored,
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
