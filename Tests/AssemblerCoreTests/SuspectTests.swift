import Testing
import Wire

@testable import AssemblerCore

@Suite("A suspect")
struct SuspectTests {
    @Test("is no item that lost one worker: that is free")
    func firstLoss() {
        var shop = Shop()
        let first = shop.joined("first", ["grill": 1])
        let step = shop.order(Shop.items("grill")).step
        _ = shop.kill(first, step.grants)
        _ = shop.order(Shop.items("grill"))
        let (other, taken) = shop.worker("other", ["grill": 2])
        #expect(taken.grants(to: other).count == 2, "beside others")
    }

    @Test("waits for a worker that holds nothing, and then has it for itself")
    func apart() {
        var shop = Shop()
        let order = shop.suspects()
        let worker = shop.joined("w", ["grill": 5, "fryer": 5])
        #expect(shop.core.sessions[worker]?.examination?.phase == .examining)
        // It gets nothing else, at no station.
        let (_, fried) = shop.order(Shop.items("fryer", "grill"))
        #expect(fried.grants.isEmpty)
        let lease = shop.core.leases.values.first { $0.connection == worker }
        #expect(lease?.item.order == order)
        let grant = Grant(
            lease: lease!.key.id, order: order, index: 0, station: "grill", attempt: 3, timeout: .zero)
        let done = shop.round(shop.done(worker, grant))
        #expect(done.outcomes.map(\.status) == [.done])
        #expect(done.grants(to: worker).map(\.station).sorted() == ["fryer", "grill"])
    }

    @Test("gets a worker that finishes what it holds and takes nothing new meanwhile")
    func clearing() {
        var shop = Shop()
        let worker = shop.joined("w", ["fryer": 5])
        let (_, fried) = shop.order(Shop.items("fryer"))
        #expect(fried.grants(to: worker).count == 1)
        let first = shop.joined("first", ["grill": 1])
        let (_, step) = shop.order(Shop.items("grill"))
        _ = shop.kill(first, step.grants)
        let (second, taken) = shop.worker("second", ["grill": 1, "fryer": 1])
        let (_, more) = shop.order(Shop.items("fryer"))
        // `second` has the suspect-to-be and nothing of the fryer's: `w` had more credit.
        #expect(more.grants(to: second).isEmpty)
        _ = shop.kill(second, taken.grants)
        let (third, _) = shop.worker("third", ["grill": 1, "fryer": 6])
        #expect(shop.core.sessions[third]?.examination?.phase == .examining)
    }

    @Test("whose attempt fails has let its worker live: it is none any more")
    func cleared() {
        var shop = Shop()
        let order = shop.suspects()
        let (worker, taken) = shop.worker("w", ["grill": 5])
        let grant = taken.grants[0]
        _ = shop.round(shop.failed(worker, grant))
        #expect(!shop.core.isSuspect(ItemKey(order: order, index: 0)))
        #expect(shop.core.sessions[worker]?.examination == nil)
    }

    @Test("that an operator's three kills of one worker made is not convicted")
    func threeKills() {
        var shop = Shop()
        let order = shop.suspects()
        let (third, taken) = shop.worker("third", ["grill": 1])
        let step = shop.kill(third, taken.grants)
        #expect(step.outcomes.isEmpty)
        let (fourth, again) = shop.worker("fourth", ["grill": 1])
        // The only worker: it rests for as long as the last examination took, which was no time at all.
        let grants = again.grants + shop.live(.milliseconds(10)).grants
        #expect(grants.map(\.attempt) == [4])
        #expect(shop.round(shop.done(fourth, grants[0])).served == [.complete])
        #expect(shop.core.summary(of: order, now: shop.now)?.doneCount == 1)
    }

    @Test("is none once the worker that was lost is back: it had not died (FM-14)")
    func takenBack() {
        var shop = Shop()
        let first = shop.joined("first", ["grill": 1], instance: 1)
        let (order, step) = shop.order(Shop.items("grill"))
        _ = shop.kill(first, step.grants)
        let (second, taken) = shop.worker("second", ["grill": 1], instance: 2)
        _ = shop.kill(second, taken.grants)
        #expect(shop.core.isSuspect(ItemKey(order: order, index: 0)))
        let (_, back) = shop.worker("first", ["grill": 1], instance: 1)
        #expect(
            back.changes == [
                .lossTakenBack(
                    order: order, index: 0, step.grants[0].lease,
                    from: WorkerInstance(bytes: [UInt8](repeating: 1, count: 16)))
            ])
        #expect(!shop.core.isSuspect(ItemKey(order: order, index: 0)))
        #expect(back.grants.map(\.attempt) == [2])
    }

    @Test("is made by the third worker that ends before it said that it began, not by the first two (FM-35)")
    func unseen() {
        var shop = Shop()
        _ = shop.order(Shop.items("grill"))
        for round in 1...4 {
            let worker = shop.joined("w-\(round)", ["grill": 1])
            let lost = shop.round(.disconnected(worker))
            #expect(lost.losses.count == (round <= 2 ? 0 : 1))
        }
    }

    @Test("counts its worker's silence and death, not a drain, nor that it reads too slowly")
    func whatCounts() {
        var shop = Shop()
        let order = shop.suspects()
        let item = ItemKey(order: order, index: 0)
        let (draining, taken) = shop.worker("draining", ["grill": 1])
        let grants = taken.grants + shop.live(.milliseconds(10)).grants
        _ = shop.round(shop.returned(draining, grants[0], .draining))
        #expect(shop.core.trays[order]?.slots[0].lossesInRow == 2)
        _ = shop.round(shop.says(draining, .farewell(Farewell())))
        let (slow, again) = shop.worker("slow", ["grill": 1])
        _ = again.grants + shop.live(.milliseconds(10)).grants
        #expect(shop.core.leases.count == 1)
        _ = shop.round(.unreachable(slow))
        #expect(shop.core.trays[order]?.slots[0].lossesInRow == 2)
        #expect(shop.core.isSuspect(item))
    }

    @Test("respects its order's max_parallel")
    func maxParallel() {
        var shop = Shop()
        let order = shop.suspects(Shop.items("grill", "grill", "grill"))
        #expect(shop.core.stations[0].suspects.groups.map(\.count) == [2, 1])
        let worker = shop.joined("w", ["grill": 10])
        #expect(shop.core.leases.values.filter { $0.connection == worker }.count == 2, "one half")
        #expect(shop.core.trays[order]?.leasedCount == 2)

        var narrow = Shop()
        let first = narrow.joined("first", ["grill": 3])
        let (id, step) = narrow.order(Shop.items("grill", "grill")) { $0.maxParallel = 1 }
        _ = narrow.kill(first, step.grants)
        #expect(narrow.core.trays[id]?.leasedCount == 0)
    }

    @Test("frees the worker that was kept for it when its order ends, whether its handler stops or not")
    func cancelled() {
        var shop = Shop()
        let order = shop.suspects()
        let worker = shop.joined("w", ["grill": 1, "fryer": 1])
        #expect(shop.core.sessions[worker]?.examination?.phase == .examining)
        let producer = shop.producer()
        let step = shop.committedRound(
            shop.asks(producer, .cancel(Cancel.with { $0.order = order.data })))
        #expect(step.revokes(to: worker).count == 1)
        #expect(shop.core.sessions[worker]?.examination == nil)
        #expect(shop.core.stations.allSatisfy { $0.places.allSatisfy { !$0.isReserved } })
    }

    @Test("that waits for a busy worker frees it when its order ends")
    func cancelledWhileClearing() {
        var shop = Shop()
        let busy = shop.joined("busy", ["grill": 2, "fryer": 9])
        let (_, fried) = shop.order(Shop.items("fryer"))
        #expect(fried.grants(to: busy).count == 1)
        let first = shop.joined("first", ["grill": 20], instance: 201)
        let second = shop.joined("second", ["grill": 19], instance: 202)
        let (order, step) = shop.order(Shop.items("grill"))
        let again = shop.kill(first, step.grants(to: first))
        _ = shop.kill(second, again.grants(to: second))
        #expect(shop.core.sessions[busy]?.examination?.phase == .clearing)
        #expect(shop.order(Shop.items("fryer")).step.grants.isEmpty)
        let producer = shop.producer()
        let ended = shop.committedRound(
            shop.asks(producer, .cancel(Cancel.with { $0.order = order.data })))
        #expect(ended.grants(to: busy).map(\.station) == ["fryer"])
    }

    // MARK: Restarts

    private func restored(lossCount: Int, itemCount: Int = 1) -> RestoredOrder {
        let id = OrderID(high: 9, low: 1)
        let attempts = (0..<lossCount).flatMap { loss in
            (0..<itemCount).map { index in
                RestoredOrder.Attempt(
                    index: index, isLost: true,
                    record: AttemptRecord(
                        attempt: loss + 1, lease: LeaseID(incarnation: 1, number: UInt64(loss + 1)),
                        worker: "w-\(loss)",
                        instance: WorkerInstance(bytes: [UInt8](repeating: UInt8(200 + loss), count: 16)),
                        isAlone: false, error: ItemError(), at: WallTime(milliseconds: 0)))
            }
        }
        return RestoredOrder(
            accepted: AcceptedOrder(
                id: id, spec: OrderSpec(), itemCount: itemCount, fingerprint: [1],
                acceptedAt: WallTime(milliseconds: 1_699_999_999_000)),
            isSealed: true, isCancelRequested: false,
            items: (0..<itemCount).map { _ in
                ItemHead(station: "grill", timeout: nil, attemptsMax: nil, byteCount: 0)
            },
            settled: [], attempts: attempts, lastLanding: 0)
    }

    @Test("stays one over a restart, and what was known of it counts on")
    func restart() {
        var shop = Shop(incarnation: 2, restoring: [restored(lossCount: 4)])
        let (worker, _) = shop.worker("w", ["grill": 4])
        var grants: [Grant] = []
        for _ in 0..<5 {
            grants += shop.live(.milliseconds(500)).grants
            _ = shop.round(shop.says(worker, .heartbeat(Heartbeat())))
        }
        #expect(grants.map(\.attempt) == [5])
        #expect(shop.core.sessions[worker]?.examination?.phase == .examining)
        let step = shop.round(.disconnected(worker))
        #expect(step.outcomes.map(\.status) == [.poisoned])
        #expect(step.outcomes[0].error.message.contains("w-0, w-1, w-2, w-3, w"))
    }

    @Test("goes on in the halves of the death that made it one, after a restart")
    func restartInHalves() {
        var shop = Shop(incarnation: 2, restoring: [restored(lossCount: 2, itemCount: 8)])
        let worker = shop.joined("w", ["grill": 8])
        for _ in 0..<5 {
            _ = shop.live(.milliseconds(500))
            _ = shop.round(shop.says(worker, .heartbeat(Heartbeat())))
        }
        #expect(shop.core.leases.count == 4)
    }

    @Test("that its worker still runs after a restart is adopted, and its worker stays apart")
    func adopted() {
        var shop = Shop(incarnation: 2, restoring: [restored(lossCount: 2)])
        let claim = Claim.with {
            $0.lease = LeaseID(incarnation: 1, number: 9)
            $0.order = OrderID(high: 9, low: 1).data
            $0.started = true
        }
        let (worker, _) = shop.worker("w", ["grill": 4], running: [claim])
        #expect(shop.core.sessions[worker]?.examination?.phase == .examining)
        #expect(shop.order(Shop.items("grill")).step.grants.isEmpty)
    }
}
