import Testing
import Wire

@testable import AssemblerCore

@Suite("A failure")
struct RetryTests {
    @Test("is tried again after a pause that doubles, between half and all of it")
    func backOff() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        var grant = shop.order([
            Item.with {
                $0.station = "grill"; $0.attemptsMax = 4
            }
        ]).step.grants[0]
        for full in [Duration.milliseconds(500), .seconds(1), .seconds(2)] {
            let failed = shop.round(shop.failed(worker, grant))
            #expect(failed.failures.count == 1)
            #expect(failed.grants.isEmpty)
            var waited = Duration.zero
            var next: [Grant] = []
            while next.isEmpty, waited < .seconds(5) {
                next = shop.live(.milliseconds(10)).grants
                waited += .milliseconds(10)
                _ = shop.round(shop.says(worker, .heartbeat(Heartbeat())))
            }
            #expect(waited >= full / 2)
            #expect(waited <= full + .milliseconds(10))
            grant = next[0]
        }
        let last = shop.round(shop.failed(worker, grant, "burnt"))
        #expect(last.outcomes.map(\.status) == [.failed])
        #expect(last.outcomes.map(\.attempts) == [4])
        #expect(last.outcomes.map(\.error.message) == ["burnt"])
        #expect(last.served == [.partial])
    }

    @Test("of a permanent kind is the last one")
    func permanent() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        let step = shop.round(shop.failed(worker, grant, permanent: true))
        #expect(step.outcomes.map(\.status) == [.failed])
        #expect(step.outcomes.map(\.attempts) == [1])
    }

    @Test("is not tried again on the worker that failed it while another one lives")
    func anotherWorker() {
        var shop = Shop()
        let first = shop.joined("first", ["grill": 5])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        let second = shop.joined("second", ["grill": 1])
        _ = shop.round(shop.failed(first, grant))
        var grants: [Grant] = []
        for _ in 0..<10 {
            let step = shop.live(.milliseconds(100))
            #expect(step.grants(to: first).isEmpty)
            grants += step.grants(to: second)
            _ = shop.round(
                shop.says(first, .heartbeat(Heartbeat())), shop.says(second, .heartbeat(Heartbeat())))
        }
        #expect(grants.map(\.attempt) == [2])
    }

    @Test("is tried again on the same worker when there is no other")
    func sameWorker() {
        var shop = Shop()
        let worker = shop.joined("only", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        _ = shop.round(shop.failed(worker, grant))
        #expect(shop.live(.milliseconds(600)).grants(to: worker).map(\.attempt) == [2])
    }

    @Test("waits for another worker that is busy, and lets other items pass")
    func waitsForTheOther() {
        var shop = Shop()
        let first = shop.joined("first", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        let (second, _) = shop.worker("second", ["grill": 1])
        let busy = shop.order(Shop.items("grill")).step.grants(to: second)[0]
        _ = shop.round(shop.failed(first, grant))
        #expect(shop.live(.milliseconds(600)).grants.isEmpty)
        let (passing, step) = shop.order(Shop.items("grill"))
        #expect(step.grants(to: first).map(\.order) == [passing])
        #expect(shop.round(shop.done(second, busy)).grants(to: second).map(\.order) == [grant.order])
    }

    @Test("of the worker to end an attempt at its timeout: the assembler takes the lease back (FM-30)")
    func attemptTimeout() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let item = Item.with {
            $0.station = "grill"
            $0.timeoutMs = 1_000
            $0.attemptsMax = 1
        }
        let grant = shop.order([item]).step.grants[0]
        var steps = Step()
        for _ in 0..<29 {
            steps.append(shop.live(.milliseconds(100)))
            steps.append(shop.round(shop.says(worker, .heartbeat(Heartbeat()))))
        }
        #expect(steps.outcomes.isEmpty)
        let step = shop.live(.milliseconds(100))
        #expect(step.revokes(to: worker).map(\.reason) == [.timeout])
        #expect(step.outcomes.map(\.error.kind) == [.timeout])
        // Its place is still taken: the handler may run on.
        #expect(shop.order(Shop.items("grill")).step.grants.isEmpty)
        #expect(shop.core.workerList(now: shop.now.instant).workers[0].stations[0].stoppingCount == 1)
        let ended = shop.round(shop.returned(worker, grant, .revoked))
        #expect(ended.grants.count == 1)
    }

    @Test("with a result too large for the contract is one of the item, and named")
    func tooLarge() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        let step = shop.round(
            shop.done(worker, grant, String(repeating: "x", count: Limits.contentBytesMax + 1)))
        #expect(step.acks.map(\.fate) == [.invalid])
        #expect(step.outcomes.map(\.status) == [.failed])
    }
}

@Suite("A worker's place")
struct PlaceTests {
    enum Ending: CaseIterable {
        case done, tooLarge, failed, failedForGood, returned, notKnownHere, returnedAfterRevoke,
            doneAfterRevoke
    }

    @Test(
        "comes back however the attempt ends: nothing blocks the next one (FM-37)", arguments: Ending.allCases
    )
    func comesBack(ending: Ending) {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let (order, step) = shop.order(Shop.items("grill"))
        let grant = step.grants[0]
        var next = shop.order(Shop.items("grill")).id
        switch ending {
        case .done: _ = shop.round(shop.done(worker, grant))
        case .tooLarge:
            let text = String(repeating: "x", count: Limits.contentBytesMax + 1)
            _ = shop.round(shop.done(worker, grant, text))
        case .failed: _ = shop.round(shop.failed(worker, grant))
        case .failedForGood: _ = shop.round(shop.failed(worker, grant, permanent: true))
        case .returned:
            // It goes first in line, so it is what the place gets.
            next = order
            _ = shop.round(shop.returned(worker, grant, .unspecified))
        case .notKnownHere:
            next = order
            let result = ItemResult.with {
                ($0.lease, $0.order, $0.index) = (grant.lease, order.data, UInt32(grant.index))
            }
            _ = shop.round(shop.says(worker, .results(ResultBatch.with { $0.results = [result] })))
        case .returnedAfterRevoke, .doneAfterRevoke:
            let producer = shop.producer()
            _ = shop.round(shop.asks(producer, .cancel(Cancel.with { $0.order = order.data })))
            #expect(shop.core.leases.count == 1, "its handler has not ended")
            _ = shop.round(
                ending == .doneAfterRevoke ? shop.done(worker, grant) : shop.returned(worker, grant, .revoked)
            )
        }
        #expect(shop.core.leases.values.map(\.item.order) == [next])
        #expect(shop.core.leases.values.allSatisfy { $0.key.number > grant.lease.number })
    }
}
