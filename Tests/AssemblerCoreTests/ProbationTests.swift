import Testing
import Wire

@testable import AssemblerCore

@Suite("A worker that only fails")
struct ProbationTests {
    /// An item is not tried again, so that each failure is of another one.
    private func items(_ count: Int, _ station: String = "grill") -> [Item] {
        (0..<count).map { _ in
            Item.with {
                $0.station = station
                $0.attemptsMax = 1
            }
        }
    }

    @Test("is on probation after five failures in a row: one lease at a time, after pauses that double")
    func pauses() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        var grants = shop.order(items(100)).step.grants
        for _ in 0..<4 { grants = shop.round(shop.failed(worker, grants[0])).grants }
        #expect(grants.count == 1)
        var waits: [Int64] = []
        for _ in 0..<11 {
            #expect(shop.round(shop.failed(worker, grants[0])).grants.isEmpty)
            let begin = shop.now.instant
            grants = []
            while grants.isEmpty, begin.duration(to: shop.now.instant) < .seconds(60) {
                let step = shop.live(.milliseconds(100))
                _ = shop.round(shop.says(worker, .heartbeat(Heartbeat())))
                grants = step.grants
            }
            waits.append(begin.duration(to: shop.now.instant).milliseconds)
        }
        #expect(
            waits == [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000])
    }

    @Test("is trusted again with its first success")
    func success() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 5])
        let grants = shop.order(items(20)).step.grants
        #expect(grants.count == 5)
        #expect(shop.round(of: grants.map { shop.failed(worker, $0) }).grants.isEmpty)
        while shop.core.leases.isEmpty { _ = shop.live(.milliseconds(20)) }
        #expect(shop.core.leases.count == 1)
        let lease = shop.core.leases.values.first!
        let probe = Grant(
            lease: lease.key.id, order: lease.item.order, index: lease.item.index, station: "grill",
            attempt: 1, timeout: .zero)
        #expect(shop.round(shop.done(worker, probe)).grants.count == 5)
    }

    @Test("is judged by what it got since: what it held before fails without another pause")
    func before() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 20])
        let grants = shop.order(items(30)).step.grants
        _ = shop.round(of: grants.map { shop.failed(worker, $0) })
        #expect(shop.live(.milliseconds(99)).grants.isEmpty)
        #expect(shop.live(.milliseconds(1)).grants.count == 1)
    }

    @Test("has its trial although handlers that do not stop keep their places")
    func stuck() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 10])
        let (_, step) = shop.order(Shop.timed(5, attemptsMax: 1))
        _ = shop.round(shop.started(worker, step.grants))
        _ = shop.live(.seconds(10), with: worker)
        #expect(shop.core.stations[0].places[0].stoppingCount == 5)
        #expect(shop.core.stations[0].places[0].probation.isOn)
        #expect(shop.order(items(3)).step.grants.count == 1)
    }

    @Test("is nobody that a retry waits for: it goes to whom is trusted, though they failed it")
    func retries() {
        var shop = Shop()
        let bad = shop.joined("bad", ["grill": 5])
        _ = shop.round(of: shop.order(items(5)).step.grants.map { shop.failed(bad, $0) })
        let good = shop.joined("good", ["grill": 5])
        let grant = shop.order(Shop.items("grill")).step.grants(to: good)[0]
        _ = shop.round(shop.failed(good, grant))
        // The trial of `bad` is for somebody else.
        _ = shop.order(items(1))
        let again = shop.live(.seconds(1), with: bad, good)
        #expect(again.grants(to: good).contains { $0.attempt == 2 } || shop.held(by: bad).count == 1)
        #expect(shop.held(by: bad).count + shop.held(by: good).count == 2)
    }

    @Test("is not blamed for failures that its handler calls the item's")
    func permanent() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        var grants = shop.order(items(20)).step.grants
        for _ in 0..<15 {
            grants = shop.round(shop.failed(worker, grants[0], permanent: true)).grants
            #expect(grants.count == 1)
        }
    }

    @Test("or only gives back, keeps no item from a good one", arguments: [true, false])
    func givesBack(saysHow: Bool) {
        var shop = Shop()
        let bad = shop.joined("bad", ["grill": 10])
        let good = shop.joined("good", ["grill": 1])
        var step = shop.order(Shop.items("grill")).step
        var badCount = 0
        while let grant = step.grants(to: bad).first, badCount < 100 {
            badCount += 1
            guard !saysHow else {
                step = shop.round(shop.returned(bad, grant, .unspecified))
                continue
            }
            let result = ItemResult.with {
                ($0.lease, $0.order, $0.index) = (grant.lease, grant.order.data, UInt32(grant.index))
            }
            step = shop.round(shop.says(bad, .results(ResultBatch.with { $0.results = [result] })))
        }
        #expect(badCount == 5)
        #expect(step.grants(to: good).map(\.attempt) == [1], "nothing counts against the item")
    }

    @Test("is none that drains, or that gives back what was revoked")
    func givesBackWithReason() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 10])
        let producer = shop.producer()
        let (order, step) = shop.order(items(5))
        _ = shop.round(shop.asks(producer, .cancel(Cancel.with { $0.order = order.data })))
        _ = shop.round(of: step.grants.map { shop.returned(worker, $0, .revoked) })
        let held = shop.order(items(5)).step.grants
        #expect(held.count == 5)
        _ = shop.round(shop.says(worker, .credit(CreditReport.with { $0.draining = true })))
        _ = shop.round(of: held.map { shop.returned(worker, $0, .draining) })
        let state = shop.core.workerList(now: shop.now.instant).workers[0].stations[0]
        #expect(state.failuresInRow == 0)
        #expect(!state.onProbation)
    }

    @Test("at one station goes on as before at another")
    func otherStation() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 5, "fryer": 5])
        let grants = shop.order(items(5)).step.grants
        for grant in grants { _ = shop.round(shop.failed(worker, grant)) }
        #expect(shop.order(items(5)).step.grants.isEmpty)
        #expect(shop.order(items(5, "fryer")).step.grants(to: worker).count == 5)
    }

    @Test("is named, with why, to whoever asks for workers")
    func told() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 5])
        let grants = shop.order(items(20)).step.grants
        for grant in grants { _ = shop.round(shop.failed(worker, grant, "no such file")) }
        let station = shop.core.workerList(now: shop.now.instant).workers[0].stations[0]
        #expect(station.onProbation)
        #expect(station.failuresInRow == 5)
        #expect(station.lastFailure == "no such file")
        #expect(station.pauseMs == 100)
    }

    @Test("among three takes at most a tenth of the leases, and every order is complete")
    func oneOfThree() {
        var shop = Shop()
        let bad = shop.joined("bad", ["grill": 4])
        let good = [shop.joined("good-1", ["grill": 4]), shop.joined("good-2", ["grill": 4])]
        var held: [ConnectionID: [Grant]] = [:]
        var leaseCounts: [ConnectionID: Int] = [:]
        var served: [OrderStatus] = []
        func take(_ step: Step) {
            served += step.served
            for worker in [bad] + good {
                let grants = step.grants(to: worker)
                held[worker, default: []] += grants
                leaseCounts[worker, default: 0] += grants.count
            }
        }
        for _ in 0..<30 { take(shop.order(Shop.items("grill", "grill", "grill", "grill", "grill")).step) }
        for _ in 0..<1_000 where served.count < 30 {
            for grant in held.removeValue(forKey: bad) ?? [] { take(shop.round(shop.failed(bad, grant))) }
            take(shop.live(.milliseconds(50)))
            for worker in good {
                take(shop.round(shop.says(worker, .heartbeat(Heartbeat()))))
                for grant in held.removeValue(forKey: worker) ?? [] {
                    take(shop.round(shop.done(worker, grant)))
                }
            }
            take(shop.round(shop.says(bad, .heartbeat(Heartbeat()))))
        }
        #expect(served.count == 30)
        #expect(served.allSatisfy { $0 == .complete })
        let all = leaseCounts.values.reduce(0, +)
        #expect(leaseCounts[bad, default: 0] * 10 <= all, "\(leaseCounts[bad, default: 0]) of \(all)")
    }
}
