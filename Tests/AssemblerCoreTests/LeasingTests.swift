import Testing
import Wire

@testable import AssemblerCore

@Suite("Leasing")
struct LeasingTests {
    @Test("gives a worker as many leases as it has credit, and more as it ends them (FM-50)")
    func credit() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 2])
        let (_, step) = shop.order(Shop.items("grill", "grill", "grill"))
        #expect(step.grants.map(\.index) == [0, 1])
        let next = shop.round(shop.done(worker, step.grants[0]))
        #expect(next.grants.map(\.index) == [2])
    }

    @Test("gives nothing to a worker that does not serve the station; the item waits visibly")
    func otherStation() {
        var shop = Shop()
        _ = shop.joined("w", ["fryer": 5])
        let (order, step) = shop.order(Shop.items("grill"))
        #expect(step.grants.isEmpty)
        #expect(shop.core.summary(of: order, now: shop.now)?.waitingCount == 1)
        let grill = shop.core.stationList().stations.first { $0.station == "grill" }
        #expect(grill?.waitingCount == 1)
        #expect(grill?.workerCount == 0)
    }

    @Test("starts with whoever comes first: a worker may join before or after the order")
    func anyOrder() {
        var shop = Shop()
        let (_, submitted) = shop.order(Shop.items("grill"))
        #expect(submitted.grants.isEmpty)
        let (worker, joined) = shop.worker("w", ["grill": 1])
        #expect(joined.grants(to: worker).count == 1)
    }

    @Test("goes to the worker with the most free credit")
    func mostCredit() {
        var shop = Shop()
        let small = shop.joined("small", ["grill": 1])
        let large = shop.joined("large", ["grill": 3])
        let (_, step) = shop.order(Shop.items("grill", "grill", "grill", "grill"))
        #expect(step.grants(to: large).map(\.index) == [0, 1, 3])
        #expect(step.grants(to: small).map(\.index) == [2])
    }

    @Test("of workers with the same credit, to the one with the fewest leases at all its stations")
    func fewestLeases() {
        var shop = Shop()
        let workers = (1...3).map { shop.joined("worker-\($0)", ["grill": 1, "fryer": 1, "drinks": 1]) }
        let step = shop.order(Shop.items("grill", "fryer", "drinks")).step
        #expect(workers.map { step.grants(to: $0).count } == [1, 1, 1])
    }

    @Test("orders of one priority take turns")
    func turns() {
        var shop = Shop()
        let (first, _) = shop.order(Shop.items("grill", "grill", "grill"))
        let (second, _) = shop.order(Shop.items("grill", "grill", "grill"))
        let (_, step) = shop.worker("w", ["grill": 6])
        #expect(step.grants.map(\.order) == [first, second, first, second, first, second])
    }

    @Test("the higher priority goes first, but for every tenth lease: that goes to who has waited longest")
    func priority() {
        var shop = Shop()
        let low = shop.order(Array(repeating: Shop.items("grill")[0], count: 20)) { $0.priority = -1 }.id
        let high = shop.order(Array(repeating: Shop.items("grill")[0], count: 40)) { $0.priority = 5 }.id
        let (_, step) = shop.worker("w", ["grill": 20])
        let orders = step.grants.map(\.order)
        #expect(orders.filter { $0 == low }.count == 2)
        #expect(orders[9] == low)
        #expect(orders[19] == low)
        #expect(orders[0..<9].allSatisfy { $0 == high })
    }

    @Test("max_parallel 1 is the synchronous program", arguments: [1, 2])
    func maxParallel(limit: Int) {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 9, "fryer": 9])
        let (_, step) = shop.order(Shop.items("grill", "fryer", "grill", "fryer")) {
            $0.maxParallel = UInt32(limit)
        }
        var running = step.grants
        var seen = running.count
        #expect(running.count == limit)
        while !running.isEmpty {
            let next = shop.round(shop.done(worker, running.removeFirst()))
            running += next.grants
            seen += next.grants.count
            #expect(running.count <= limit)
        }
        #expect(seen == 4)
    }

    @Test("an order at its max_parallel does not stand in the way of others")
    func limitedOrderStepsAside() {
        var shop = Shop()
        let limited = shop.order(Shop.items("grill", "grill")) { $0.maxParallel = 1 }.id
        let (other, _) = shop.order(Shop.items("grill", "grill"))
        let (_, step) = shop.worker("w", ["grill": 4])
        #expect(step.grants.filter { $0.order == limited }.count == 1)
        #expect(step.grants.filter { $0.order == other }.count == 2)
    }

    @Test("nothing is leased before not_before")
    func notBefore() {
        var shop = Shop()
        _ = shop.joined("w", ["grill": 1])
        let begin = UInt64(shop.now.wall.milliseconds) + 1_000
        let (_, step) = shop.order(Shop.items("grill")) { $0.notBeforeMs = begin }
        #expect(step.grants.isEmpty)
        #expect(shop.live(.milliseconds(999)).grants.isEmpty)
    }

    @Test("leases begin at not_before")
    func atNotBefore() {
        var shop = Shop()
        let begin = UInt64(shop.now.wall.milliseconds) + 1_000
        _ = shop.order(Shop.items("grill")) { $0.notBeforeMs = begin }
        _ = shop.live(.milliseconds(1_000))
        let (_, step) = shop.worker("w", ["grill": 1])
        #expect(step.grants.count == 1)
    }

    @Test("lease numbers are never used twice")
    func leaseNumbers() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let (_, step) = shop.order(Shop.items("grill", "grill", "grill"))
        var grants = step.grants
        while let last = grants.last {
            let next = shop.round(shop.done(worker, last)).grants
            if next.isEmpty { break }
            grants += next
        }
        #expect(grants.map(\.lease.number) == [1, 2, 3])
    }

    @Test("a draining worker gets nothing more, and gives back what did not run, uncounted (FM-46)")
    func draining() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 2])
        let (_, step) = shop.order(Shop.items("grill", "grill", "grill"))
        let drain = shop.round(
            shop.says(worker, .credit(CreditReport.with { $0.draining = true })),
            shop.done(worker, step.grants[0]), shop.returned(worker, step.grants[1], .draining))
        #expect(drain.grants.isEmpty)
        let (other, joined) = shop.worker("other", ["grill": 5])
        #expect(joined.grants(to: other).map(\.index) == [1, 2])
        #expect(joined.grants(to: other).map(\.attempt) == [1, 1])
    }

    @Test("credit may be withdrawn and given again")
    func creditReport() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let none = CreditReport.with { $0.stations = [.with { $0.station = "grill" }] }
        _ = shop.round(shop.says(worker, .credit(none)))
        #expect(shop.order(Shop.items("grill")).step.grants.isEmpty)
        let one = CreditReport.with {
            $0.stations = [
                .with {
                    $0.station = "grill"
                    $0.capacity = 1
                }
            ]
        }
        #expect(shop.round(shop.says(worker, .credit(one))).grants.count == 1)
    }
}
