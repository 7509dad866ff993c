import Testing
import Wire

@testable import AssemblerCore

@Suite("An order")
struct OrderTests {
    @Test("is accepted with its items in one step, and its receipt leaves after the commit (FM-08, FM-21)")
    func receipt() {
        var shop = Shop()
        let (order, step) = shop.order(Shop.items("grill", "fryer"))
        #expect(step.receipts.map(\.order) == [order.data])
        #expect(step.changes.count == 3)
        guard case .accepted = step.changes[0], case .page(order, 0, let items) = step.changes[1],
            case .sealed(order) = step.changes[2]
        else {
            Issue.record("not accepted, page, sealed: \(step.changes)")
            return
        }
        #expect(items.count == 2)
    }

    @Test("of no items is complete at once (FM-07)")
    func empty() {
        var shop = Shop()
        let (_, step) = shop.order([])
        #expect(step.receipts.count == 1)
        #expect(step.served == [.complete])
    }

    @Test("that is known already is not made again: the receipt is repeated (FM-06)")
    func resent() {
        var shop = Shop()
        let producer = shop.producer()
        let submit = Shop.submit(shop.newOrderID(), Shop.items("grill"))
        _ = shop.committedRound(shop.asks(producer, .submit(submit)))
        let again = shop.round(shop.asks(producer, .submit(submit)))
        #expect(again.changes.isEmpty)
        #expect(again.receipts.map(\.known) == [true])
    }

    @Test("of a known id or key with other content is refused")
    func conflict() {
        var shop = Shop()
        let producer = shop.producer()
        let order = shop.newOrderID()
        let first = Shop.submit(order, Shop.items("grill")) { $0.key = "nightly" }
        _ = shop.committedRound(shop.asks(producer, .submit(first)))
        let sameID = Shop.submit(order, Shop.items("fryer"), fingerprint: 2)
        let sameKey = Shop.submit(shop.newOrderID(), Shop.items("fryer"), fingerprint: 2) {
            $0.key = "nightly"
        }
        for submit in [sameID, sameKey] {
            let step = shop.round(shop.asks(producer, .submit(submit)))
            #expect(step.refusals.map(\.reason) == [.conflict])
            #expect(step.changes.isEmpty)
        }
    }

    @Test("of a known key and the same content is the one that has the key")
    func sameKey() {
        var shop = Shop()
        let producer = shop.producer()
        let first = Shop.submit(shop.newOrderID(), Shop.items("grill")) { $0.key = "nightly" }
        _ = shop.committedRound(shop.asks(producer, .submit(first)))
        let second = Shop.submit(shop.newOrderID(), Shop.items("grill")) { $0.key = "nightly" }
        let step = shop.round(shop.asks(producer, .submit(second)))
        #expect(step.receipts.map(\.order) == [first.order])
    }

    @Test("that the store knows is answered from there, ended or not (FM-06)")
    func knownToTheStore() {
        var shop = Shop()
        let producer = shop.producer()
        let submit = Shop.submit(shop.newOrderID(), Shop.items("grill"))
        let known = KnownOrder(
            id: OrderID(submit.order)!, status: .complete, fingerprint: Array(submit.fingerprint))
        let step = shop.round(shop.asks(producer, .submit(submit), known: known))
        #expect(step.receipts.map(\.status) == [.complete])
        #expect(step.changes.isEmpty)
    }

    @Test("that is not valid is refused, the field named")
    func invalid() {
        var shop = Shop()
        let producer = shop.producer()
        let cases: [(String, Submit)] = [
            ("enough", Shop.submit(shop.newOrderID(), Shop.items("grill")) { $0.enough = 2 }),
            ("priority", Shop.submit(shop.newOrderID(), Shop.items("grill")) { $0.priority = 101 }),
            ("name", Shop.submit(shop.newOrderID(), []) { $0.name = String(repeating: "x", count: 201) }),
            ("items[1].station", Shop.submit(shop.newOrderID(), Shop.items("grill", "gr ill"))),
            // The same character to a reader, and other bytes: the sign of the kelvin.
            ("items[1].station", Shop.submit(shop.newOrderID(), Shop.items("K", "\u{212A}"))),
            (
                "items[0].timeout",
                Shop.submit(
                    shop.newOrderID(),
                    [
                        .with {
                            $0.station = "a"; $0.timeoutMs = 0
                        }
                    ])
            ),
            (
                "items[0].max_attempts",
                Shop.submit(
                    shop.newOrderID(),
                    [
                        .with {
                            $0.station = "a"; $0.attemptsMax = 1_001
                        }
                    ])
            ),
            ("item_count", Shop.submit(shop.newOrderID(), [], count: 1_000_001)),
        ]
        for (field, submit) in cases {
            let step = shop.round(shop.asks(producer, .submit(submit)))
            #expect(step.refusals.map(\.reason) == [.invalid])
            #expect(step.refusals.first?.message.hasPrefix(field) == true, "\(field)")
            #expect(step.changes.isEmpty)
        }
    }

    @Test("beyond what may be open is refused with when to come again (FM-23)")
    func full() {
        var configuration = CoreConfiguration()
        configuration.openItemCountMax = 2
        var shop = Shop(configuration)
        _ = shop.order(Shop.items("grill", "grill"))
        let (_, step) = shop.order(Shop.items("grill"))
        #expect(step.refusals.map(\.reason) == [.full])
        #expect(step.refusals[0].retryAfterMs > 0)
        #expect(step.changes.isEmpty)
    }

    @Test("is refused while the store is short of room; those accepted go on")
    func storeIsShort() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        _ = shop.round(.storeIsShort(true))
        #expect(shop.order(Shop.items("grill")).step.refusals.map(\.reason) == [.unavailable])
        #expect(shop.round(shop.done(worker, grant)).served == [.complete])
        _ = shop.round(.storeIsShort(false))
        #expect(shop.order(Shop.items("grill")).step.receipts.count == 1)
    }

    @Test("needs a hello before it")
    func helloFirst() {
        var shop = Shop()
        let stranger = shop.connection()
        let step = shop.round(shop.asks(stranger, .ping(Ping())))
        #expect(step.refusals.map(\.reason) == [.session])
    }
}

@Suite("An order's end")
struct OrderEndTests {
    @Test("comes with its last slot, in the same step, once (FM-11, FM-12)")
    func lastSlot() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 2])
        let grants = shop.order(Shop.items("grill", "grill")).step.grants
        let first = shop.round(shop.done(worker, grants[1]))
        #expect(first.served.isEmpty)
        #expect(first.outcomes.map(\.landing) == [1])
        let last = shop.round(shop.done(worker, grants[0]))
        #expect(last.served == [.complete])
        #expect(last.outcomes.map(\.landing) == [2])
        #expect(shop.round(shop.done(worker, grants[0])).changes.isEmpty)
    }

    @Test("fail-fast: one permanent failure cancels the rest, and running handlers are told to stop")
    func failFast() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 2])
        let grants = shop.order(Shop.items("grill", "grill", "grill")) { $0.failure = .failFast }.step.grants
        let step = shop.round(shop.failed(worker, grants[0], permanent: true))
        #expect(step.served == [.failed])
        #expect(step.outcomes.map(\.status) == [.failed, .cancelled, .cancelled])
        #expect(step.revokes(to: worker).map(\.lease) == [grants[1].lease])
    }

    @Test("at its deadline: what is open expires, and is not leased again (FM-34)")
    func deadline() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let (_, submitted) = shop.order(Shop.items("grill", "grill")) { $0.deadlineMs = 1_000 }
        #expect(shop.live(.milliseconds(999)).served.isEmpty)
        let step = shop.live(.milliseconds(1))
        #expect(step.served == [.expired])
        #expect(step.outcomes.map(\.status) == [.expired, .expired])
        let ended = shop.round(shop.returned(worker, submitted.grants[0], .revoked))
        #expect(ended.grants.isEmpty)
    }

    @Test("a deadline of 0 is none; one that is not given is 24 h")
    func defaultDeadline() {
        var shop = Shop()
        let endless = shop.order(Shop.items("grill")) { $0.deadlineMs = 0 }.id
        let (standard, _) = shop.order(Shop.items("grill"))
        _ = shop.live(.seconds(24 * 3600))
        _ = shop.core.handle(.committed, now: shop.now)
        #expect(shop.core.summary(of: endless, now: shop.now)?.status == .running)
        #expect(shop.core.summary(of: standard, now: shop.now)?.status == .expired)
    }

    @Test("by cancelling is durable, and leaves an ended order as it was (FM-45)")
    func cancel() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let (order, submitted) = shop.order(Shop.items("grill", "grill"))
        let producer = shop.producer()
        let request = Cancel.with { $0.order = order.data }
        let step = shop.committedRound(shop.asks(producer, .cancel(request)))
        #expect(step.served == [.cancelled])
        #expect(step.revokes(to: worker).map(\.lease) == [submitted.grants[0].lease])
        let again = shop.round(shop.asks(producer, .cancel(request)))
        #expect(again.changes.isEmpty)
    }

    @Test("enough: the rest is cancelled once so many are done")
    func enough() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 3])
        let grants = shop.order(Shop.items("grill", "grill", "grill")) { $0.enough = 1 }.step.grants
        let step = shop.round(shop.done(worker, grants[2]))
        #expect(step.served == [.complete])
        #expect(step.outcomes.map(\.status) == [.done, .cancelled, .cancelled])
        #expect(step.revokes(to: worker).count == 2)
    }

    @Test("takes until after the commit that served")
    func elapsed() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let (order, submitted) = shop.order(Shop.items("grill"))
        shop.pass(.milliseconds(100))
        _ = shop.round(shop.done(worker, submitted.grants[0]))
        shop.pass(.milliseconds(3))
        let step = shop.core.handle(.committed, now: shop.now)
        #expect(step.changes == [.elapsed(order: order, .milliseconds(103))])
        #expect(shop.core.summary(of: order, now: shop.now)?.elapsedUs == 103_000)
    }

    @Test("frees what was kept for it (FM-44)")
    func forgotten() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        for _ in 0..<50 {
            let grant = shop.order(Shop.items("grill")).step.grants[0]
            _ = shop.committedRound(shop.done(worker, grant))
        }
        _ = shop.core.handle(.committed, now: shop.now)
        #expect(shop.core.trays.isEmpty)
        #expect(shop.core.leases.isEmpty)
        #expect(shop.core.openItems == (0, 0))
    }
}

@Suite("A watcher")
struct WatcherTests {
    private func pulls(_ step: Step) -> [Int] {
        step.actions.compactMap {
            if case .answerOutcomes(_, _, _, let after, _) = $0 { after } else { nil }
        }
    }

    private func watch(_ order: OrderID, after: Int, wait: Bool = true) -> ProducerMessage.OneOf_Body {
        .watch(
            Watch.with {
                $0.order = order.data
                $0.afterLanding = UInt32(after)
                $0.outcomeCountMax = 10
                $0.wait = wait
            })
    }

    @Test("is answered when something lands")
    func waits() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let (order, submitted) = shop.order(Shop.items("grill", "grill"))
        let producer = shop.producer()
        #expect(pulls(shop.round(shop.asks(producer, watch(order, after: 0)))).isEmpty)
        #expect(pulls(shop.round(shop.done(worker, submitted.grants[0]))) == [0])
    }

    @Test("is answered at once where there is something after its cursor, or when it does not wait")
    func atOnce() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let (order, submitted) = shop.order(Shop.items("grill", "grill"))
        _ = shop.round(shop.done(worker, submitted.grants[0]))
        let producer = shop.producer()
        #expect(pulls(shop.round(shop.asks(producer, watch(order, after: 0)))) == [0])
        #expect(pulls(shop.round(shop.asks(producer, watch(order, after: 1, wait: false)))) == [1])
        #expect(pulls(shop.round(shop.asks(producer, watch(order, after: 1)))).isEmpty)
    }

    @Test("of an order that is not in memory is answered from the store")
    func notInMemory() {
        var shop = Shop()
        let producer = shop.producer()
        #expect(pulls(shop.round(shop.asks(producer, watch(OrderID(high: 1, low: 1), after: 3)))) == [3])
    }

    @Test("that is gone is not kept (FM-44)")
    func gone() {
        var shop = Shop()
        let (order, _) = shop.order(Shop.items("grill"))
        for _ in 0..<100 {
            let producer = shop.producer()
            _ = shop.round(shop.asks(producer, watch(order, after: 0)))
            _ = shop.round(.disconnected(producer))
        }
        #expect((shop.core.watchers[order]?.count ?? 0) <= 1)
    }
}
