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
        let auditor = Auditor(plan: Plan(seed: 1))
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

    private func joined(_ auditor: Auditor, capacity: UInt32) -> ConnectionID {
        let connection = ConnectionID(1)
        let hello = WorkerHello.with {
            $0.versions = Frames.versions
            $0.stations = [
                StationCapacity.with {
                    $0.station = "grill"
                    $0.capacity = capacity
                }
            ]
        }
        let welcome = WorkerWelcome.with {
            $0.version = 1
            $0.session = 1
        }
        auditor.handled(
            .worker(connection, WorkerMessage.with { $0.hello = hello }),
            Step(actions: [.tellWorker(connection, .welcome(welcome))]), now: now)
        return connection
    }

    private func grant(_ number: UInt64, _ index: Int) -> Grant {
        Grant(
            lease: LeaseID(incarnation: 1, number: number), order: order, index: index, station: "grill",
            attempt: 1, timeout: .seconds(1))
    }

    @Test("nobody for what may be")
    func nothing() {
        let auditor = auditor()
        let worker = joined(auditor, capacity: 2)
        auditor.ticked(
            Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(2, 1))]), isDrained: true,
            now: now)
        auditor.roundEnded(now: now)
        #expect(auditor.violation == nil)
    }

    @Test("a slot that is settled twice")
    func settledTwice() {
        let auditor = auditor()
        auditor.committed([.settled(order: order, outcomes: [outcome(1, 0), outcome(2, 0)])], now: now)
        #expect(auditor.violation?.contains("settled twice") == true)
    }

    @Test("an order that is served before its slots are settled")
    func servedEarly() {
        let auditor = auditor()
        var counts = TrayCounts()
        counts.add(.cancelled)
        let record = ServedRecord(status: .cancelled, at: now.wall, elapsed: .zero, counts: counts)
        auditor.committed(
            [.settled(order: order, outcomes: [outcome(1, 0)]), .served(order: order, record)], now: now)
        #expect(auditor.violation?.contains("1 of 2 outcomes") == true)
    }

    @Test("a result that nobody brought about")
    func inventedResult() {
        let auditor = auditor()
        auditor.committed([.settled(order: order, outcomes: [outcome(1, 0, .done)])], now: now)
        #expect(auditor.violation?.contains("no handler did it") == true)
    }

    @Test("two current leases of one item")
    func twoLeases() {
        let auditor = auditor()
        let worker = joined(auditor, capacity: 9)
        auditor.ticked(
            Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(2, 0))]), isDrained: true,
            now: now)
        #expect(auditor.violation?.contains("two leases of one item") == true)
    }

    @Test("a lease number that is used twice")
    func leaseTwice() {
        let auditor = auditor()
        let worker = joined(auditor, capacity: 9)
        auditor.ticked(
            Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(1, 1))]), isDrained: true,
            now: now)
        #expect(auditor.violation?.contains("is given after") == true)
    }

    @Test("a place that a worker does not have")
    func inventedPlace() {
        let auditor = auditor()
        let worker = joined(auditor, capacity: 1)
        auditor.ticked(
            Step(actions: [.lease(worker, grant(1, 0)), .lease(worker, grant(2, 1))]), isDrained: true,
            now: now)
        #expect(auditor.violation?.contains("a place is invented") == true)
    }

    @Test("a receipt that precedes its order")
    func earlyReceipt() {
        let auditor = Auditor(plan: Plan(seed: 1))
        auditor.says(OrdersMessage.with { $0.receipt.order = order.data }, to: ConnectionID(1))
        #expect(auditor.violation?.contains("not in the store") == true)
    }

    @Test("an order that outlives its deadline")
    func deadline() {
        let auditor = auditor()
        var late = now
        late.wall.milliseconds += 48 * 3_600_000
        auditor.roundEnded(now: late)
        #expect(auditor.violation?.contains("its deadline passed") == true)
    }
}
