import ProducerCore
import Testing
import Wire

@testable import AssemblerCore
@testable import Simulation

/// An auditor that cannot blame proves nothing: here it is shown what may not be.
@Suite("The auditor blames")
struct AuditorTests {
    private let order = OrderID(high: 1, low: 1)
    private let now = Moment(
        instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 1_700_000_000_000))

    private func auditor(itemCount: Int = 2) -> Auditor {
        var auditor = Auditor(plan: Plan(seed: 1))
        auditor.assemblerStarted(incarnation: 1, [], now: now)
        let accepted = AcceptedOrder(
            id: order, spec: OrderSpec(), itemCount: itemCount, fingerprint: [], acceptedAt: now.wall)
        let items = (0..<itemCount).map { _ in Item.with { $0.station = "grill" } }
        auditor.committed(
            [.accepted(accepted), .page(order: order, firstIndex: 0, items: items), .sealed(order: order)],
            now: now)
        return auditor
    }

    private func outcome(_ landing: UInt32, _ index: UInt32, _ status: ItemStatus = .cancelled) -> Outcome {
        Outcome.with {
            $0.landing = landing
            $0.index = index
            $0.status = status
        }
    }

    private func joined(_ auditor: inout Auditor, capacity: UInt32, number: UInt64 = 1) -> ConnectionID {
        let connection = ConnectionID(number)
        let hello = WorkerHello.with {
            $0.versions = Frames.versions
            $0.instance = .init([UInt8(number)])
            $0.stations = [
                StationCapacity.with {
                    $0.station = "grill"
                    $0.capacity = capacity
                }
            ]
        }
        let welcome = WorkerWelcome.with {
            $0.version = 1
            $0.session = number
            $0.name = "worker-\(number)"
        }
        auditor.handled(
            .worker(connection, WorkerMessage.with { $0.hello = hello }),
            Step(actions: [.tellWorker(connection, .welcome(welcome))]))
        return connection
    }

    private func grant(_ number: UInt64, _ index: Int) -> Grant {
        Grant(
            lease: LeaseID(incarnation: 1, number: number), order: order, index: index, station: "grill",
            attempt: 1, timeout: .seconds(1))
    }

    @Test("nobody for what may be")
    func nothing() {
        var auditor = auditor()
        let worker = joined(&auditor, capacity: 2)
        auditor.ticked(
            Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(2, 1))]), now: now)
        auditor.roundEnded(now: now)
        #expect(auditor.violation == nil)
    }

    @Test("a slot that is settled twice")
    func settledTwice() {
        var auditor = auditor()
        auditor.committed([.settled(order: order, outcomes: [outcome(1, 0), outcome(2, 0)])], now: now)
        #expect(auditor.violation?.contains("settled twice") == true)
    }

    @Test("an order that is served before its slots are settled")
    func servedEarly() {
        var auditor = auditor()
        var counts = TrayCounts()
        counts.add(.cancelled)
        let record = ServedRecord(status: .cancelled, at: now.wall, elapsed: .zero, counts: counts)
        auditor.committed(
            [.settled(order: order, outcomes: [outcome(1, 0)]), .served(order: order, record)], now: now)
        #expect(auditor.violation?.contains("1 of 2 outcomes") == true)
    }

    @Test("a result that nobody brought about")
    func inventedResult() {
        var auditor = auditor()
        auditor.committed([.settled(order: order, outcomes: [outcome(1, 0, .done)])], now: now)
        #expect(auditor.violation?.contains("no handler did it") == true)
    }

    @Test("a result of another item, and not the item's own")
    func othersResult() {
        for index in 0...1 {
            var auditor = auditor()
            auditor.succeeded(ItemRef(order: order, index: 0))
            var done = outcome(1, 0, .done)
            done.result = Nature.result(ItemRef(order: order, index: index))
            auditor.committed([.settled(order: order, outcomes: [done])], now: now)
            #expect(auditor.violation?.contains("the result of another item") == (index == 0 ? nil : true))
        }
    }

    @Test("a receipt for other content than was submitted")
    func otherContent() {
        let items = (0..<2).map { _ in Item.with { $0.station = "grill" } }
        for (name, station, isTrue) in [("", "grill", true), ("", "fryer", false), ("x", "grill", false)] {
            var auditor = auditor()
            var submission = Submission(order: order, spec: OrderSpec(), items: items, fingerprint: [])
            (submission.spec.name, submission.items[1].station) = (name, station)
            auditor.customerHasReceipt(order, for: submission, since: nil)
            #expect(auditor.violation?.contains("other content") == (isTrue ? nil : true))
        }
    }

    @Test("an order that is opened again as another one, at an earlier time, or after it was accepted")
    func openedAgain() {
        let half = OrderID(high: 1, low: 2)
        var head = AcceptedOrder(
            id: half, spec: OrderSpec(), itemCount: 2, fingerprint: [], acceptedAt: now.wall)
        let cases: [(OrderID, Int, Int64, Bool)] = [
            (half, 2, 0, true), (half, 2, 1, true), (half, 3, 0, false), (half, 2, -1, false),
            (order, 2, 0, false),
        ]
        for (id, itemCount, later, isTrue) in cases {
            var auditor = auditor()
            (head.id, head.itemCount, head.acceptedAt) = (half, 2, now.wall)
            auditor.committed([.accepted(head)], now: now)
            (head.id, head.itemCount) = (id, itemCount)
            head.acceptedAt.milliseconds += later
            auditor.committed([.reopened(head)], now: now)
            #expect(auditor.violation?.contains("opened again") == (isTrue ? nil : true))
        }
    }

    @Test("a restart that finds an order with another time than was committed")
    func otherTime() {
        for later in [0, 1] as [Int64] {
            var auditor = auditor()
            let accepted = AcceptedOrder(
                id: order, spec: OrderSpec(), itemCount: 2, fingerprint: [],
                acceptedAt: WallTime(milliseconds: now.wall.milliseconds + later))
            let head = ItemHead(station: "grill", timeout: nil, attemptsMax: nil, byteCount: 0)
            let restored = RestoredOrder(
                accepted: accepted, isSealed: true, isCancelRequested: false, items: [head, head],
                settled: [],
                attempts: [], lastLanding: 0)
            auditor.assemblerStarted(incarnation: 2, [restored], now: now)
            #expect(auditor.violation?.contains("other than it was committed") == (later == 0 ? nil : true))
        }
    }

    @Test("a receipt for an order whose time counts from before it was submitted")
    func earlyTime() {
        let items = (0..<2).map { _ in Item.with { $0.station = "grill" } }
        let submission = Submission(order: order, spec: OrderSpec(), items: items, fingerprint: [])
        for later in [0, 1] as [Int64] {
            var auditor = auditor()
            let since = WallTime(milliseconds: now.wall.milliseconds + later)
            auditor.customerHasReceipt(order, for: submission, since: since)
            #expect(auditor.violation?.contains("counts from before") == (later == 0 ? nil : true))
        }
    }

    @Test("what a watcher hears, where it is not what was stored at that place")
    func heardOtherwise() {
        let stored = [outcome(1, 0), outcome(2, 1)]
        for (heard, landing, isTrue) in [(stored, 0, true), (stored, 1, false), ([outcome(2, 0)], 1, false)] {
            var auditor = auditor()
            auditor.committed([.settled(order: order, outcomes: stored)], now: now)
            let batch = OutcomeBatch.with {
                $0.outcomes = heard
                $0.summary.order = order.data
                $0.summary.itemCount = 2
                $0.summary.lastLanding = 2
            }
            auditor.customerHears(batch, after: landing)
            #expect(auditor.violation?.contains("is not in the store") == (isTrue ? nil : true))
        }
    }

    @Test("two current leases of one item")
    func twoLeases() {
        var auditor = auditor()
        let worker = joined(&auditor, capacity: 9)
        auditor.ticked(
            Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(2, 0))]), now: now)
        #expect(auditor.violation?.contains("two leases of one item") == true)
    }

    @Test("a lease number that is used twice")
    func leaseTwice() {
        var auditor = auditor()
        let worker = joined(&auditor, capacity: 9)
        auditor.ticked(
            Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(1, 1))]), now: now)
        #expect(auditor.violation?.contains("is given after") == true)
    }

    @Test("a place that a worker does not have")
    func inventedPlace() {
        var auditor = auditor()
        let worker = joined(&auditor, capacity: 1)
        auditor.ticked(
            Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(2, 1))]), now: now)
        #expect(auditor.violation?.contains("a place is invented") == true)
    }

    /// Two orders of `grill` alone, `first` before `second`, that wait.
    private func rivals(_ priorities: (first: Int32, second: Int32)) -> Auditor {
        var auditor = Auditor(plan: Plan(seed: 1))
        auditor.assemblerStarted(incarnation: 1, [], now: now)
        let items = (0..<40).map { _ in Item.with { $0.station = "grill" } }
        for (id, priority) in [(first, priorities.first), (second, priorities.second)] {
            let accepted = AcceptedOrder(
                id: id, spec: OrderSpec.with { $0.priority = priority }, itemCount: items.count,
                fingerprint: [], acceptedAt: now.wall)
            auditor.committed(
                [.accepted(accepted), .page(order: id, firstIndex: 0, items: items), .sealed(order: id)],
                now: now)
        }
        auditor.roundEnded(now: now)
        return auditor
    }

    private let first = OrderID(high: 1, low: 1)
    private let second = OrderID(high: 1, low: 2)

    /// What the auditor says once these orders have had their turns, one after the other.
    private func violation(
        _ orders: [OrderID], first: Int32 = 0, second: Int32 = 0
    ) -> String? {
        var auditor = rivals((first, second))
        let worker = joined(&auditor, capacity: UInt32(orders.count))
        var nextIndex: [OrderID: Int] = [:]
        let actions = zip(orders, UInt64(1)...).map { order, number -> Action in
            defer { nextIndex[order, default: 0] += 1 }
            return Action.lease(
                worker,
                Grant(
                    lease: LeaseID(incarnation: 1, number: number), order: order,
                    index: nextIndex[order, default: 0], station: "grill", attempt: 1, timeout: .seconds(1)))
        }
        auditor.ticked(Step(actions: actions), now: now)
        auditor.roundEnded(now: now)
        return auditor.violation
    }

    @Test("nobody for orders that take turns, nor for a higher priority that leaves every tenth lease")
    func turns() {
        let equals = Array(repeating: [first, second], count: 15).flatMap { $0 }
        let higher = Array(repeating: second, count: 9) + [first]
        // Where the count of ten begins, nobody can know.
        #expect(violation(equals) == nil)
        #expect(violation(higher + higher, second: 2) == nil)
        #expect(violation(Array(higher.dropFirst(4)) + higher + [second], second: 2) == nil)
    }

    @Test("an order that goes before one of its priority which has waited longer")
    func secondTurn() {
        #expect(violation([first, second, second])?.contains("waits longer") == true)
        #expect(violation([second, first, first], first: -1)?.contains("waits longer") == true)
    }

    @Test("ten leases in a row that pass over the order which has waited longest")
    func tenInARow() {
        let taken = Array(repeating: second, count: 11)
        #expect(violation(Array(taken.dropLast()), second: 2) == nil)
        #expect(violation(taken, second: 2)?.contains("ten leases in a row") == true)
    }

    @Test("a lower priority that goes first more often than with every tenth lease")
    func lowerPriority() {
        let orders = [first] + Array(repeating: second, count: 4) + [first]
        #expect(violation(orders, second: 2)?.contains("before a higher priority") == true)
    }

    @Test("a retry that goes to the worker which failed the item, while another lives")
    func sameWorker() {
        var auditor = auditor()
        let worker = joined(&auditor, capacity: 2)
        _ = joined(&auditor, capacity: 2, number: 2)
        let failed = AttemptRecord(
            attempt: 1, lease: LeaseID(incarnation: 1, number: 1), worker: "worker-1",
            instance: WorkerInstance(bytes: [1]), isAlone: false, error: ItemError(), at: now.wall)
        auditor.committed([.attemptFailed(order: order, index: 0, failed)], now: now)
        auditor.ticked(Step(actions: [.lease(worker, grant(2, 0))]), now: now)
        #expect(auditor.violation?.contains("which failed it, and worker-2 lives") == true)
    }

    @Test("two leases of a worker on probation")
    func probation() {
        var auditor = auditor()
        let worker = joined(&auditor, capacity: 2)
        let began = Note.probationBegan(worker: "worker-1", station: "grill", failures: 5, message: "")
        auditor.ticked(Step(actions: [.note(began), .lease(worker, grant(1, 0))]), now: now)
        #expect(auditor.violation == nil)
        auditor.ticked(Step(actions: [.lease(worker, grant(2, 1))]), now: now)
        #expect(auditor.violation?.contains("on probation") == true)
    }

    @Test("a turn while what came back from a worker waits")
    func notFirstInLine() {
        var auditor = rivals((0, 0))
        let worker = joined(&auditor, capacity: 1)
        func give(_ number: UInt64, _ order: OrderID) {
            let grant = Grant(
                lease: LeaseID(incarnation: 1, number: number), order: order, index: 0, station: "grill",
                attempt: 1, timeout: .seconds(1))
            auditor.ticked(Step(actions: [.lease(worker, grant)]), now: now)
            auditor.roundEnded(now: now)
        }
        give(1, first)
        #expect(auditor.violation == nil)
        let result = ItemResult.with {
            $0.lease = LeaseID(incarnation: 1, number: 1)
            $0.order = first.data
            $0.returned.reason = .draining
        }
        auditor.handled(.worker(worker, WorkerMessage.with { $0.results.results = [result] }), Step())
        give(2, second)
        #expect(auditor.violation?.contains("which came back, is not") == true)
    }

    @Test("a success that is dropped while its slot is empty")
    func droppedSuccess() {
        for fate in [Ack.Fate.late, .unknown, .stored] {
            var auditor = auditor()
            let worker = joined(&auditor, capacity: 2)
            auditor.ticked(
                Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(2, 1))]), now: now)
            auditor.roundEnded(now: now)
            let result = ItemResult.with {
                $0.lease = LeaseID(incarnation: 1, number: 1)
                $0.order = order.data
                $0.done = Nature.result(ItemRef(order: order, index: 0))
            }
            auditor.handled(
                .worker(worker, WorkerMessage.with { $0.results.results = [result] }), Step())
            let ack = Ack.with {
                $0.lease = result.lease
                $0.fate = fate
            }
            auditor.says(KitchenMessage.with { $0.acks.acks = [ack] })
            let what = fate == .stored ? "before it is in the store" : "its slot is empty"
            #expect(auditor.violation?.contains(what) == true)
        }
    }

    @Test("a receipt that precedes its order")
    func earlyReceipt() {
        let auditor = Auditor(plan: Plan(seed: 1))
        auditor.says(OrdersMessage.with { $0.receipt.order = order.data })
        #expect(auditor.violation?.contains("not in the store") == true)
    }

    @Test("an order that outlives its deadline")
    func deadline() {
        var auditor = auditor()
        var late = now
        late.wall.milliseconds += 48 * 3_600_000
        auditor.roundEnded(now: late)
        #expect(auditor.violation?.contains("its deadline passed") == true)
    }
}
