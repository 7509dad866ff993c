import Testing
import Wire

@testable import AssemblerCore

extension Shop {
    /// The worker begins what it got, and dies.
    mutating func kill(_ worker: ConnectionID, _ grants: [Grant]) -> Step {
        _ = round(started(worker, grants))
        return round(.disconnected(worker))
    }

    /// An order whose items have lost two workers, and nobody is there.
    mutating func suspects(_ items: [Item] = Shop.items("grill")) -> OrderID {
        let first = joined("first", ["grill": items.count], instance: 201)
        let (order, step) = self.order(items)
        _ = kill(first, step.grants)
        let (second, taken) = worker("second", ["grill": items.count], instance: 202)
        _ = kill(second, taken.grants)
        return order
    }

    /// Time passes, and these workers say that they are there.
    mutating func live(_ duration: Duration, with workers: ConnectionID...) -> Step {
        var step = Step()
        for _ in 0..<max(1, duration.milliseconds / 500) {
            step.append(live(min(duration, .milliseconds(500))))
            for worker in workers { step.append(round(says(worker, .heartbeat(Heartbeat())))) }
        }
        return step
    }

    /// The next worker of an item that has ended four.
    mutating func fifthWorker() -> ConnectionID {
        _ = order(Shop.items("grill"))
        for number in 1...4 {
            let worker = joined("w-\(number)", ["grill": 1])
            _ = live(.milliseconds(10))
            _ = kill(worker, held(by: worker))
        }
        return joined("w-5", ["grill": 1])
    }

    static func timed(_ count: Int, attemptsMax: Int = 3) -> [Item] {
        (0..<count).map { _ in
            Item.with {
                $0.station = "grill"
                $0.timeoutMs = 5_000
                $0.attemptsMax = UInt32(attemptsMax)
            }
        }
    }

    /// The lease that `worker` holds, as it was granted.
    func held(by worker: ConnectionID) -> [Grant] {
        core.leases.values.filter { $0.connection == worker }.sorted { $0.key < $1.key }.map {
            Grant(
                lease: $0.key.id, order: $0.item.order, index: $0.item.index, station: "grill",
                attempt: $0.attempt, timeout: .zero)
        }
    }
}

@Suite("An examination")
struct ExaminationTests {
    @Test("ends although a handler does not: what was revoked holds up no worker and no other suspect")
    func stuckSuspect() {
        var shop = Shop()
        _ = shop.suspects(Shop.timed(1))
        let (worker, taken) = shop.worker("w", ["grill": 5, "fryer": 5])
        _ = shop.round(shop.started(worker, taken.grants))
        let step = shop.live(.seconds(10), with: worker)
        #expect(step.revokes(to: worker).map(\.reason) == [.timeout])
        #expect(shop.core.sessions[worker]?.examination == nil)
        #expect(shop.order(Shop.items("fryer", "grill")).step.grants(to: worker).count == 2)
    }

    @Test("begins although a handler does not end: it keeps its place and no more")
    func stuckBefore() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 10])
        let (_, hung) = shop.order(Shop.timed(1, attemptsMax: 1))
        _ = shop.round(shop.started(worker, hung.grants))
        _ = shop.live(.seconds(10), with: worker)
        #expect(shop.core.stations[0].places[0].stoppingCount == 1)
        // Others have more credit, so they get the item, and end.
        let first = shop.joined("first", ["grill": 50], instance: 201)
        let second = shop.joined("second", ["grill": 49], instance: 202)
        let (_, step) = shop.order(Shop.items("grill"))
        let again = shop.kill(first, step.grants(to: first))
        let third = shop.kill(second, again.grants(to: second))
        #expect(third.grants(to: worker).map(\.attempt) == [3])
        #expect(shop.core.sessions[worker]?.examination?.phase == .examining)
    }

    @Test("of a worker whose connection broke goes on beside the one that had begun meanwhile")
    func broken() {
        var shop = Shop()
        let order = shop.suspects(Shop.items("grill", "grill", "grill", "grill"))
        let (examiner, taken) = shop.worker("e", ["grill": 10], instance: 50)
        let other = shop.joined("other", ["grill": 10], instance: 51)
        _ = shop.joined("third", ["grill": 1], instance: 52)
        _ = shop.round(shop.started(examiner, taken.grants))
        let lost = shop.round(.disconnected(examiner))
        #expect(lost.grants(to: other).map(\.index) == [2, 3])
        let claims = taken.grants.map { grant in
            Claim.with {
                $0.lease = grant.lease
                $0.order = order.data
                $0.index = UInt32(grant.index)
                $0.started = true
            }
        }
        let (back, _) = shop.worker("e", ["grill": 10], instance: 50, running: claims)
        #expect(shop.core.sessions[back]?.examination?.phase == .examining)
        #expect(shop.core.sessions[other]?.examination?.phase == .examining)
        let ordinary = shop.order(Shop.items("grill", "grill")).step
        #expect(ordinary.grants(to: other).isEmpty && ordinary.grants(to: back).isEmpty)
        for worker in [back, other] {
            for grant in shop.held(by: worker) { _ = shop.round(shop.done(worker, grant)) }
        }
        _ = shop.live(.milliseconds(1))
        #expect(shop.core.sessions.values.allSatisfy { $0.examination == nil })
    }

    @Test("convicts nobody whose success came with the end of its worker")
    func lastResult() {
        var shop = Shop()
        let worker = shop.fifthWorker()
        _ = shop.live(.milliseconds(10))
        let grant = shop.held(by: worker)[0]
        _ = shop.round(shop.started(worker, [grant]))
        let step = shop.round(.disconnected(worker), shop.done(worker, grant))
        #expect(step.outcomes.map(\.status) == [.done])
        #expect(step.acks.map(\.fate) == [.stored])
    }

    @Test("convicts nobody while what has arrived is not read: a success may be in it")
    func notDrained() {
        var shop = Shop()
        let worker = shop.fifthWorker()
        _ = shop.joined("other", ["grill": 1])
        _ = shop.live(.milliseconds(10))
        let grant = shop.held(by: worker)[0]
        _ = shop.round(shop.started(worker, [grant]))
        _ = shop.core.handle(.disconnected(worker), now: shop.now)
        let unread = shop.core.tick(now: shop.now, drained: false)
        #expect(unread.outcomes.isEmpty && unread.grants.isEmpty)
        #expect(shop.round(shop.done(worker, grant)).outcomes.map(\.status) == [.done])
    }

    @Test("gives nothing to a worker in its pause, and one suspect to a worker on trial")
    func probation() {
        var shop = Shop()
        let bad = shop.joined("bad", ["grill": 5])
        _ = shop.round(of: shop.order(Shop.timed(5, attemptsMax: 1)).step.grants.map { shop.failed(bad, $0) })
        #expect(shop.core.stations[0].places[0].probation.isOn)
        _ = shop.suspects(Shop.items("grill", "grill", "grill", "grill"))
        #expect(shop.held(by: bad).isEmpty)
        _ = shop.live(.milliseconds(100), with: bad)
        #expect(shop.held(by: bad).count == 1)
    }

    /// An order of one item that an earlier incarnation had begun.
    private func restored(
        _ number: UInt64, _ station: String, failedBy: UInt8? = nil, lossCount: UInt8 = 2
    ) -> RestoredOrder {
        func attempt(_ instance: UInt8, isLost: Bool) -> RestoredOrder.Attempt {
            RestoredOrder.Attempt(
                index: 0, isLost: isLost,
                record: AttemptRecord(
                    attempt: 1, lease: LeaseID(incarnation: 1, number: number * 10 + UInt64(instance)),
                    worker: "w", instance: WorkerInstance(bytes: [UInt8](repeating: instance, count: 16)),
                    isAlone: false, error: ItemError(), at: WallTime(milliseconds: 0)))
        }
        let failures = failedBy.map { [attempt($0, isLost: false)] } ?? []
        let losses = (0..<lossCount).map { attempt(200 + UInt8(number) * 2 + $0, isLost: true) }
        return RestoredOrder(
            accepted: AcceptedOrder(
                id: OrderID(high: 9, low: number), spec: OrderSpec(), itemCount: 1, fingerprint: [1],
                acceptedAt: WallTime(milliseconds: 1_699_999_999_000)),
            isSealed: true, isCancelRequested: false,
            items: [ItemHead(station: station, timeout: nil, attemptsMax: nil, byteCount: 0)], settled: [],
            attempts: failures + losses, lastLanding: 0)
    }

    @Test("takes the first group that a worker may run: one that has to wait for another holds up no other")
    func headOfLine() {
        let orders = [
            restored(1, "fryer"), restored(2, "grill", failedBy: 1), restored(3, "grill"),
        ]
        var shop = Shop(incarnation: 2, restoring: orders)
        let failing = shop.joined("failing", ["grill": 1], instance: 1)
        let busy = shop.joined("busy", ["fryer": 1, "grill": 1], instance: 2)
        let step = shop.live(.seconds(3), with: failing, busy)
        #expect(step.grants(to: busy).map(\.order.low) == [1], "it examines at the fryer, and lives")
        #expect(step.grants(to: failing).map(\.order.low) == [3], "not 2, which it failed")
    }

    @Test("forgets a loss before an acquittal without touching those after it")
    func takenBackBefore() {
        var shop = Shop()
        let first = shop.joined("first", ["grill": 1], instance: 1)
        let (order, step) = shop.order(Shop.items("grill"))
        _ = shop.kill(first, step.grants)
        let (second, taken) = shop.worker("second", ["grill": 1], instance: 2)
        _ = shop.round(shop.failed(second, taken.grants[0]))
        _ = shop.round(.disconnected(second))
        _ = shop.live(.seconds(2))
        for number in 3...4 {
            let worker = shop.joined("w-\(number)", ["grill": 1], instance: UInt8(number))
            _ = shop.kill(worker, shop.held(by: worker))
        }
        #expect(shop.core.trays[order]?.slots[0].lossesInRow == 2)
        _ = shop.worker("first", ["fryer": 1], instance: 1)
        #expect(shop.core.trays[order]?.slots[0].lossesInRow == 2)
        #expect(shop.core.trays[order]?.slots[0].lossCount == 2)
    }

    @Test("a loss is taken back from the worker that had it, though two say that it was theirs")
    func sameLease() {
        var shop = Shop()
        let first = shop.joined("a", ["grill": 1], instance: 1)
        let (order, step) = shop.order(Shop.items("grill"))
        _ = shop.kill(first, step.grants)
        let claim = Claim.with {
            $0.lease = step.grants[0].lease
            $0.order = order.data
            $0.started = true
        }
        let (second, _) = shop.worker("b", ["grill": 1], instance: 2, running: [claim])
        _ = shop.round(.disconnected(second))
        for instance in [1, 2] as [UInt8] {
            let back = shop.worker("back", ["fryer": 1], instance: instance).step.changes
            let bytes = [UInt8](repeating: instance, count: 16)
            #expect(
                back == [
                    .lossTakenBack(
                        order: order, index: 0, step.grants[0].lease, from: WorkerInstance(bytes: bytes))
                ])
        }
    }
}
