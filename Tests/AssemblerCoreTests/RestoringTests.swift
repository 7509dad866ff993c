import Seeded
import Testing
import Wire

@testable import AssemblerCore

@Suite("After a restart")
struct RestoringTests {
    private let id = OrderID(high: 3, low: 1)

    private func restored(
        _ stations: [String], settled: [RestoredOrder.Settled] = [], attempts: [RestoredOrder.Attempt] = [],
        isSealed: Bool = true, deadlineMilliseconds: UInt64? = nil, acceptedAt: Int64 = 1_699_999_999_000
    ) -> RestoredOrder {
        var spec = OrderSpec()
        if let deadlineMilliseconds { spec.deadlineMs = deadlineMilliseconds }
        return RestoredOrder(
            accepted: AcceptedOrder(
                id: id, spec: spec, itemCount: stations.count, fingerprint: [1],
                acceptedAt: WallTime(milliseconds: acceptedAt)),
            isSealed: isSealed, isCancelRequested: false,
            items: stations.map { ItemHead(station: $0, timeout: nil, attemptsMax: nil, byteCount: 0) },
            settled: settled, attempts: attempts, lastLanding: settled.count)
    }

    private func claim(lease: UInt64, index: Int, incarnation: UInt32 = 1) -> Claim {
        Claim.with {
            $0.lease = LeaseID(incarnation: incarnation, number: lease)
            $0.order = id.data
            $0.index = UInt32(index)
            $0.started = true
        }
    }

    @Test("items of earlier incarnations wait one heartbeat limit; new orders do not (FM-26)")
    func waits() {
        var shop = Shop(incarnation: 2, restoring: [restored(["grill"])])
        _ = shop.joined("w", ["grill": 5])
        let (new, step) = shop.order(Shop.items("grill"))
        #expect(step.grants.map(\.order) == [new])
        #expect(shop.live(.milliseconds(1_999)).grants.isEmpty)
        // The worker is silent in this test: another one takes the item when the wait is over.
        let (late, joined) = shop.worker("late", ["grill": 5])
        #expect(joined.grants(to: late).isEmpty)
        #expect(shop.live(.milliseconds(1)).grants(to: late).map(\.order).contains(id))
    }

    @Test("the wait is counted from the first round, however long it took to get there")
    func longStart() {
        var shop = Shop(incarnation: 2, restoring: [restored(["grill"])])
        shop.pass(.seconds(30))
        let (worker, joined) = shop.worker("w", ["grill": 1])
        #expect(joined.grants.isEmpty)
        #expect(shop.live(.milliseconds(1_999)).grants.isEmpty)
        _ = shop.round(shop.says(worker, .heartbeat(Heartbeat())))
        #expect(shop.live(.milliseconds(1)).grants(to: worker).map(\.order) == [id])
    }

    @Test("what a worker still runs is adopted, and its result lands (FM-26)")
    func adopted() {
        var shop = Shop(incarnation: 2, restoring: [restored(["grill", "grill"])])
        let (worker, step) = shop.worker("w", ["grill": 2], running: [claim(lease: 41, index: 0)])
        #expect(step.revokes(to: worker).isEmpty)
        #expect(shop.core.summary(of: id, now: shop.now)?.leasedCount == 1)
        let grant = Grant(
            lease: LeaseID(incarnation: 1, number: 41), order: id, index: 0, station: "grill", attempt: 1,
            timeout: .seconds(1))
        let done = shop.round(shop.done(worker, grant))
        #expect(done.outcomes.map(\.index) == [0])
        #expect(done.acks.map(\.fate) == [.stored])
    }

    @Test("a result that its worker held meanwhile lands, claimed or not")
    func heldResult() {
        var shop = Shop(incarnation: 2, restoring: [restored(["grill"])])
        let worker = shop.joined("w", ["grill": 1])
        let grant = Grant(
            lease: LeaseID(incarnation: 1, number: 41), order: id, index: 0, station: "grill", attempt: 1,
            timeout: .seconds(1))
        let step = shop.round(shop.done(worker, grant))
        #expect(step.outcomes.map(\.status) == [.done])
        #expect(step.served == [.complete])
    }

    @Test("of two claims to one item the younger lease is adopted, the other told to stop")
    func twoClaims() {
        var shop = Shop(incarnation: 2, restoring: [restored(["grill"])])
        let (older, _) = shop.worker("older", ["grill": 1], running: [claim(lease: 1, index: 0)])
        let (younger, step) = shop.worker("younger", ["grill": 1], running: [claim(lease: 2, index: 0)])
        #expect(step.revokes(to: younger).isEmpty)
        #expect(step.revokes(to: older).map(\.lease.number) == [1])
    }

    @Test("claims to leases that were never given, or to unknown orders, are told to stop or ignored")
    func lyingClaims() {
        var shop = Shop(incarnation: 2, restoring: [restored(["grill"])])
        var unknown = claim(lease: 1, index: 0)
        unknown.order = OrderID(high: 9, low: 9).data
        let (worker, step) = shop.worker(
            "liar", ["grill": 3],
            running: [claim(lease: 5, index: 0, incarnation: 3), claim(lease: 1, index: 7), unknown])
        #expect(step.revokes(to: worker).map(\.reason) == [.unknown, .unknown])
        #expect(shop.core.leases.isEmpty)
    }

    @Test("failures and losses count on, and the worker that failed an item is remembered")
    func attempts() {
        let record = AttemptRecord(
            attempt: 1, lease: LeaseID(incarnation: 1, number: 1), worker: "w",
            instance: WorkerInstance(bytes: Array(repeating: 7, count: 16)),
            isAlone: false, error: ItemError(), at: WallTime(milliseconds: 0))
        var loss = record
        loss.instance = WorkerInstance(bytes: Array(repeating: 8, count: 16))
        let order = restored(
            ["grill"],
            attempts: [
                .init(index: 0, isLost: false, record: record), .init(index: 0, isLost: true, record: loss),
            ])
        var shop = Shop(incarnation: 2, restoring: [order])
        _ = shop.joined("failed-it", ["grill": 5], instance: 7)
        _ = shop.live(.milliseconds(1_900))
        let (other, _) = shop.worker("other", ["grill": 1])
        let step = shop.live(.milliseconds(200))
        #expect(step.grants(to: other).map(\.attempt) == [3])
    }

    @Test("a failure that is known already is not counted again when its worker repeats it (FM-03, FM-14)")
    func repeatedFailure() {
        let lease = LeaseID(incarnation: 1, number: 41)
        let record = AttemptRecord(
            attempt: 1, lease: lease, worker: "w", instance: WorkerInstance(bytes: []), isAlone: false,
            error: ItemError(), at: WallTime(milliseconds: 0))
        let order = restored(["grill"], attempts: [.init(index: 0, isLost: false, record: record)])
        var shop = Shop(incarnation: 2, restoring: [order])
        let (worker, hello) = shop.worker("w", ["grill": 1], held: [claim(lease: 41, index: 0)])
        #expect(hello.revokes(to: worker).map(\.reason) == [.superseded])
        let grant = Grant(
            lease: lease, order: id, index: 0, station: "grill", attempt: 1, timeout: .seconds(1))
        let step = shop.round(shop.failed(worker, grant))
        #expect(step.failures.isEmpty)
        #expect(step.acks.map(\.fate) == [.late])
    }

    @Test("settled slots stay settled, and landing numbers go on")
    func landings() {
        let order = restored(["grill", "grill"], settled: [.init(index: 1, status: .done)])
        var shop = Shop(incarnation: 2, restoring: [order])
        _ = shop.round()
        _ = shop.live(.milliseconds(2_000))
        let (worker, step) = shop.worker("w", ["grill": 5])
        #expect(step.grants.map(\.index) == [0])
        let done = shop.round(shop.done(worker, step.grants[0]))
        #expect(done.outcomes.map(\.landing) == [2])
        #expect(done.served == [.complete])
    }

    @Test("the deadline has run on meanwhile")
    func deadlinePassed() {
        let order = restored(["grill"], deadlineMilliseconds: 500)
        var shop = Shop(incarnation: 2, restoring: [order])
        #expect(shop.round().served == [.expired])
    }

    @Test(
        "an order whose time of acceptance is any number at all is taken up (FM-22)",
        arguments: [Int64.min, .min + 1, -1, 0, .max - 1, .max], [UInt64(5_000), .max])
    func anyTime(acceptedAt: Int64, deadlineMilliseconds: UInt64) throws {
        let order = restored(["grill"], deadlineMilliseconds: deadlineMilliseconds, acceptedAt: acceptedAt)
        var shop = Shop(incarnation: 2, restoring: [order])
        _ = shop.live(.milliseconds(1))
        let summary = try #require(shop.core.summary(of: id, now: shop.now))
        #expect(summary.itemCount == 1)
    }

    @Test("a clock that was set back gives an order at most its original span")
    func clockSetBack() {
        let order = restored(["grill"], deadlineMilliseconds: 5_000, acceptedAt: 1_800_000_000_000)
        var shop = Shop(incarnation: 2, restoring: [order])
        #expect(shop.live(.milliseconds(4_999)).served.isEmpty)
        #expect(shop.live(.milliseconds(1)).served == [.expired])
    }

    @Test("an order whose pages were not all there can be gone on with, or is deleted after a minute (FM-08)")
    func unsealed() {
        var order = restored(["grill"], isSealed: false)
        order.accepted.itemCount = 2
        var shop = Shop(incarnation: 2, restoring: [order])
        #expect(shop.core.trays.count == 1)
        #expect(shop.live(.seconds(60)).changes == [.abandoned(order: id)])
    }

    @Test("a half order that was left a day ago has its whole time once somebody goes on with it (FM-08)")
    func leftForADay() {
        let day: Int64 = 86_400_000
        var order = restored(["grill"], isSealed: false, acceptedAt: 1_700_000_000_000 - 2 * day)
        order.accepted.itemCount = 2
        order.accepted.spec.key = "nightly"
        var shop = Shop(incarnation: 2, restoring: [order])
        let producer = shop.producer()
        var again = Shop.submit(shop.newOrderID(), Shop.items("grill"), count: 2) { $0.key = "nightly" }
        again.fingerprint = .init(order.accepted.fingerprint)
        #expect(shop.round(shop.asks(producer, .submit(again))).taken.map(\.order) == [id.data])
        let page = Shop.page(id.data, from: 1, Shop.items("grill"))
        #expect(shop.round(shop.asks(producer, .page(page))).receipts.map(\.status) == [.running])
        #expect(shop.live(.seconds(86_399)).served == [])
        #expect(shop.live(.seconds(1)).served == [.expired])
    }

    @Test("no lease id of an earlier incarnation is given again")
    func freshLeases() {
        var shop = Shop(incarnation: 2)
        _ = shop.joined("w", ["grill": 1])
        #expect(shop.order(Shop.items("grill")).step.grants.map(\.lease.incarnation) == [2])
    }
}

@Suite("Timers")
struct TimersTests {
    @Test("come up in order of time, those of one instant as they were set")
    func order() {
        var timers = Timers()
        timers.set(.pulse, at: Instant(nanoseconds: 20))
        timers.set(.recoveryEnds, at: Instant(nanoseconds: 10))
        timers.set(.orderBegins(OrderID(high: 0, low: 1)), at: Instant(nanoseconds: 10))
        #expect(timers.next == Instant(nanoseconds: 10))
        #expect(timers.popDue(Instant(nanoseconds: 9)) == nil)
        #expect(timers.popDue(Instant(nanoseconds: 30)) == .recoveryEnds)
        #expect(timers.popDue(Instant(nanoseconds: 30)) == .orderBegins(OrderID(high: 0, low: 1)))
        #expect(timers.popDue(Instant(nanoseconds: 30)) == .pulse)
        #expect(timers.popDue(Instant(nanoseconds: 30)) == nil)
    }

    @Test(
        "come up in order, whatever they are for and in whatever order they are set",
        arguments: UInt64(1)...20)
    func anyOrder(seed: UInt64) {
        var dice = SplitMix(seed: seed)
        var (timers, now): (Timers, Int64) = (Timers(), 0)
        var expected: [(at: Int64, event: TimedEvent)] = []
        for number in 0..<2_000 as Range<UInt64> {
            let at = now + Int64(dice.below(dice.below(10) == 0 ? 200 : 5))
            let event: TimedEvent =
                dice.below(3) == 0
                ? .orderBegins(OrderID(high: 0, low: number))
                : .attemptTimeout(LeaseKey(incarnation: 1, number: number))
            timers.set(event, at: Instant(nanoseconds: at))
            expected.append((at, event))
            if dice.below(100) == 0 {
                let isKept = { (event: TimedEvent) in if case .orderBegins = event { true } else { false } }
                timers.prune(isLive: isKept)
                expected.removeAll { !isKept($0.event) }
            }
            if dice.below(2) == 0 { now += Int64(dice.below(3)) }
            while let next = expected.map(\.at).min(), next <= now {
                #expect(timers.next == Instant(nanoseconds: next))
                // The first of them that was set.
                let position = expected.firstIndex { $0.at == next } ?? 0
                #expect(timers.popDue(Instant(nanoseconds: now)) == expected.remove(at: position).event)
            }
            #expect(timers.popDue(Instant(nanoseconds: now)) == nil)
            #expect(timers.count == expected.count)
        }
    }

    @Test("that are stale do not pile up (FM-44)")
    func pruning() {
        var timers = Timers()
        for number in 0..<100_000 {
            timers.set(
                .attemptTimeout(LeaseKey(incarnation: 1, number: UInt64(number))),
                at: Instant(nanoseconds: Int64(number)))
            timers.prune { _ in false }
        }
        #expect(timers.count < 2_000)
    }
}
