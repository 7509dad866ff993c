import Testing
import Wire

@testable import AssemblerCore

@Suite("A worker that is lost")
struct LossTests {
    @Test("costs the attempts that it held: they go to others at once, first in line (FM-01)")
    func redelivery() {
        var shop = Shop()
        let dying = shop.joined("dying", ["grill": 2])
        let (order, step) = shop.order(Shop.items("grill", "grill", "grill", "grill"))
        _ = shop.round(shop.started(dying, step.grants))
        let other = shop.joined("other", ["grill": 1])
        let lost = shop.round(.disconnected(dying))
        #expect(lost.losses.map(\.worker) == ["dying", "dying"])
        #expect(lost.grants.isEmpty)
        let grant = shop.core.leases.values.first { $0.connection == other }
        #expect(grant?.item == ItemKey(order: order, index: 2))
        let next = shop.joined("next", ["grill": 2])
        let places = shop.core.leases.values.filter { $0.connection == next }.map(\.item.index).sorted()
        #expect(places == [0, 1])
    }

    @Test("is lost after the heartbeat limit of silence, and not before (FM-30)")
    func silence() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let grants = shop.order(Shop.items("grill")).step.grants
        _ = shop.round(shop.started(worker, grants))
        #expect(shop.live(.milliseconds(1_999)).losses.isEmpty)
        #expect(shop.live(.milliseconds(1)).losses.count == 1)
    }

    @Test("any heartbeat puts the limit off")
    func heartbeats() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        for _ in 0..<20 {
            #expect(!shop.live(.milliseconds(500)).actions.contains(.forget(worker)))
            let step = shop.round(shop.says(worker, .heartbeat(Heartbeat())))
            #expect(step.actions == [.tellWorker(worker, .heartbeat(Heartbeat()))])
        }
    }

    @Test("that is heard keeps its lease for as long as the attempt may take, an hour here (FM-30, FM-31)")
    func longAttempt() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let item = Item.with {
            $0.station = "grill"
            $0.timeoutMs = 2 * 3_600_000
        }
        let grant = shop.order([item]).step.grants[0]
        _ = shop.round(shop.started(worker, [grant]))
        let idle = shop.joined("idle", ["grill": 1])
        for _ in 0..<3_600 {
            let step = shop.live(.seconds(1))
            guard step.changes.isEmpty, step.grants.isEmpty else {
                Issue.record("given to another after \(shop.now.instant): \(step)")
                return
            }
            _ = shop.round(
                shop.says(worker, .heartbeat(Heartbeat())), shop.says(idle, .heartbeat(Heartbeat())))
        }
        let done = shop.round(shop.done(worker, grant))
        #expect(done.outcomes.map(\.attempts) == [1])
        #expect(done.served == [.complete])
    }

    @Test("is not lost for time in which the assembler did not listen")
    func deafAssembler() {
        var shop = Shop()
        _ = shop.joined("w", ["grill": 1])
        _ = shop.live(.milliseconds(400))
        shop.pass(.seconds(5))
        let woken = shop.core.tick(now: shop.now)
        #expect(!woken.actions.contains { if case .forget = $0 { true } else { false } })
        #expect(shop.core.sessionCount == 1)
        _ = shop.live(.milliseconds(1_700))
        #expect(shop.core.sessionCount == 0)
    }

    @Test("is not judged while what has arrived is not read (FM-32)")
    func notDrained() {
        var shop = Shop()
        _ = shop.joined("w", ["grill": 1])
        _ = shop.live(.milliseconds(1_500))
        shop.pass(.milliseconds(500))
        _ = shop.core.tick(now: shop.now, drained: false)
        #expect(shop.core.sessionCount == 1)
        shop.pass(.milliseconds(1))
        _ = shop.core.tick(now: shop.now)
        #expect(shop.core.sessionCount == 0)
    }

    @Test("takes no timers along: one pulse, however often workers come and go (FM-44)")
    func pulses() {
        var shop = Shop()
        for _ in 0..<100 {
            let worker = shop.joined("w", ["grill": 1])
            _ = shop.round(.disconnected(worker))
        }
        _ = shop.live(.seconds(3))
        _ = shop.joined("w", ["grill": 1])
        #expect(shop.core.timers.count == 2)
    }

    @Test("does not count against items that had not started (FM-35)")
    func notStarted() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        _ = shop.order(Shop.items("grill"))
        #expect(shop.round(.disconnected(worker)).losses.isEmpty)
    }

    @Test("because it reads too slowly costs its items nothing (FM-51)")
    func unreachable() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let grants = shop.order(Shop.items("grill")).step.grants
        _ = shop.round(shop.started(worker, grants))
        #expect(shop.round(.unreachable(worker)).losses.isEmpty)
        #expect(shop.worker("other", ["grill": 1]).step.grants.map(\.attempt) == [1])
    }

    @Test("and whose success comes late still fills its slot, while that is empty")
    func lateSuccess() {
        var shop = Shop()
        let frozen = shop.joined("frozen", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        _ = shop.round(.disconnected(frozen))
        let (other, taken) = shop.worker("other", ["grill": 1])
        let step = shop.round(shop.done(frozen, grant, "late but first"))
        #expect(step.outcomes.map(\.status) == [.done])
        #expect(step.acks.map(\.fate) == [.stored])
        #expect(step.revokes(to: other).map(\.lease) == taken.grants.map(\.lease))
        #expect(step.served == [.complete])
    }

    @Test("a late result for a settled slot is dropped (FM-14)")
    func lateResult() {
        var shop = Shop()
        let frozen = shop.joined("frozen", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        _ = shop.round(.disconnected(frozen))
        let (other, taken) = shop.worker("other", ["grill": 1])
        _ = shop.round(shop.done(other, taken.grants[0]))
        let late = shop.round(shop.done(frozen, grant))
        #expect(late.changes.isEmpty)
        #expect(late.acks.map(\.fate) == [.late])
    }

    @Test("a late failure changes nothing")
    func lateFailure() {
        var shop = Shop()
        let frozen = shop.joined("frozen", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        _ = shop.round(.disconnected(frozen))
        let late = shop.round(shop.failed(frozen, grant, permanent: true))
        #expect(late.changes.isEmpty)
        #expect(late.acks.map(\.fate) == [.late])
    }

    @Test("counts what it said in its last batch that it had begun, and its last results name it (FM-35)")
    func lastWords() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 2])
        let grants = shop.order(Shop.items("grill", "grill")).step.grants
        let step = shop.round(
            shop.started(worker, grants), shop.done(worker, grants[0]), .disconnected(worker))
        #expect(step.outcomes.map(\.worker) == ["w"])
        #expect(step.losses.map(\.lease) == [grants[1].lease])
    }

    @Test("results that are read only after its end was seen are taken all the same")
    func lastResults() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        let step = shop.round(.disconnected(worker), shop.done(worker, grant))
        #expect(step.outcomes.map(\.status) == [.done])
        #expect(step.served == [.complete])
    }

    @Test("a lease that was never given is unknown, whoever reports it")
    func lies() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        var grant = shop.order(Shop.items("grill", "grill")).step.grants[0]
        grant.lease.number = 99
        grant.index = 1
        let step = shop.round(shop.done(worker, grant))
        #expect(step.acks.map(\.fate) == [.unknown])
        #expect(step.changes.isEmpty)
    }

    @Test("a lease of one item cannot settle another")
    func wrongItem() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        var grant = shop.order(Shop.items("grill", "grill")).step.grants[0]
        grant.index = 1
        let step = shop.round(shop.done(worker, grant))
        #expect(step.acks.map(\.fate) == [.unknown])
        #expect(step.outcomes.isEmpty)
    }
}
