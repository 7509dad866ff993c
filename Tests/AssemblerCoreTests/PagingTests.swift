import Testing
import Wire

@testable import AssemblerCore

@Suite("An order that comes in pages")
struct PagingTests {
    @Test("is leased only when the last one is here (FM-08)")
    func pages() {
        var shop = Shop()
        _ = shop.joined("w", ["grill": 9])
        let producer = shop.producer()
        let order = shop.newOrderID()
        let opened = shop.round(
            shop.asks(producer, .submit(Shop.submit(order, Shop.items("grill", "grill"), count: 3))))
        #expect(opened.pagesTaken == [2])
        #expect(opened.grants.isEmpty)
        #expect(shop.core.summary(of: order, now: shop.now) == nil)
        let page = Shop.page(order.data, from: 2, Shop.items("grill"))
        let sealed = shop.round(shop.asks(producer, .page(page)))
        #expect(sealed.receipts.count == 1)
        #expect(sealed.grants.map(\.index) == [0, 1, 2])
    }

    @Test("is told where to go on: a page twice, a page too far, the submit again")
    func pagingResumed() {
        var shop = Shop()
        let producer = shop.producer()
        let order = shop.newOrderID()
        let submit = Shop.submit(order, Shop.items("grill", "grill"), count: 5)
        _ = shop.round(shop.asks(producer, .submit(submit)))
        for firstIndex in [0, 1, 4] {
            let page = Shop.page(order.data, from: UInt32(firstIndex), Shop.items("grill"))
            let step = shop.round(shop.asks(producer, .page(page)))
            #expect(step.pagesTaken == [2])
            #expect(step.changes.isEmpty)
        }
        #expect(shop.round(shop.asks(producer, .submit(submit))).pagesTaken == [2])
    }

    @Test("under a key that somebody else is submitting goes on with that order, under its id (FM-08)")
    func keyBeingSubmitted() {
        var shop = Shop()
        let (dead, living) = (shop.producer(), shop.producer())
        let first = Shop.submit(shop.newOrderID(), Shop.items("grill"), count: 3) { $0.key = "nightly" }
        var second = first
        second.order = shop.newOrderID().data
        _ = shop.round(shop.asks(dead, .submit(first)))
        let step = shop.round(shop.asks(living, .submit(second)))
        #expect(step.taken.map(\.order) == [first.order] && step.pagesTaken == [1])
        guard case .reopened = step.changes.first, step.changes.count == 1 else {
            return _ = Issue.record("nothing is accepted anew: \(step.changes)")
        }
        let page = Shop.page(first.order, from: 1, Shop.items("grill", "grill"))
        let sealed = shop.round(shop.asks(living, .page(page)))
        #expect(sealed.receipts.map(\.order) == [first.order] && sealed.receipts.map(\.known) == [false])
        // Whoever was thought dead is told the same.
        let late = shop.round(shop.asks(dead, .page(page)), shop.asks(dead, .submit(first)))
        #expect(late.receipts.map(\.order) == [first.order, first.order])
        #expect(late.receipts.allSatisfy(\.known) && late.changes.isEmpty)
    }

    @Test("under a key that somebody else is submitting with other content is refused")
    func keyBeingSubmittedOtherwise() {
        var shop = Shop()
        let producer = shop.producer()
        let first = Shop.submit(shop.newOrderID(), Shop.items("grill"), count: 2) { $0.key = "nightly" }
        var second = first
        second.order = shop.newOrderID().data
        second.fingerprint = .init(repeating: 2, count: 32)
        _ = shop.round(shop.asks(producer, .submit(first)))
        let step = shop.round(shop.asks(producer, .submit(second)))
        #expect(step.refusals.map(\.reason) == [.conflict])
        #expect(step.refusals[0].message.contains("key 'nightly'"))
        #expect(step.pagesTaken.isEmpty)
    }

    @Test("is deleted a minute after its last page, however often it is asked for")
    func askedFor() {
        var configuration = CoreConfiguration()
        configuration.openBytesMax = 10
        var shop = Shop(configuration)
        let producer = shop.producer()
        let big = Item.with {
            $0.station = "grill"
            $0.payload = .with { $0.data = .init(repeating: 0, count: 9) }
        }
        let order = shop.newOrderID()
        let submit = Shop.submit(order, [big], count: 2) { $0.key = "nightly" }
        let page = Shop.page(order.data, from: 1, [big])
        _ = shop.round(shop.asks(producer, .submit(submit)))
        for _ in 1...2 {
            #expect(shop.live(.seconds(20)).changes.isEmpty)
            #expect(shop.round(shop.asks(producer, .submit(submit))).pagesTaken == [1])
            #expect(shop.round(shop.asks(producer, .page(page))).refusals.map(\.reason) == [.full])
        }
        #expect(shop.live(.milliseconds(19_999)).changes.isEmpty)
        shop.pass(.milliseconds(1))
        // In the round that deletes it: nothing is promised of it, and nobody is told to go for good.
        var other = submit
        other.order = shop.newOrderID().data
        other.fingerprint = .init(repeating: 2, count: 32)
        let last = shop.round(
            shop.asks(producer, .submit(submit)), shop.asks(producer, .page(page)),
            shop.asks(producer, .submit(other)))
        #expect(last.refusals.map(\.reason) == [.unavailable, .notFound, .unavailable])
        #expect(last.changes == [.abandoned(order: order)])
        #expect(shop.round(shop.asks(producer, .submit(submit))).pagesTaken == [1])
    }

    @Test("has its deadline from when a producer opened it last, and that is in the store")
    func reopened() {
        var shop = Shop()
        let (dead, living) = (shop.producer(), shop.producer())
        let first = Shop.submit(shop.newOrderID(), Shop.items("grill"), count: 2) {
            $0.key = "nightly"
            $0.deadlineMs = 30_000
        }
        var second = first
        second.order = shop.newOrderID().data
        _ = shop.round(shop.asks(dead, .submit(first)))
        shop.pass(.seconds(40))
        let step = shop.round(shop.asks(living, .submit(second)))
        guard case .reopened(let head) = step.changes.first else {
            return _ = Issue.record("\(step.changes)")
        }
        #expect(head.id.data == first.order && head.spec == first.spec && head.acceptedAt == shop.now.wall)
        let page = Shop.page(first.order, from: 1, Shop.items("grill"))
        #expect(shop.round(shop.asks(living, .page(page))).receipts.map(\.status) == [.running])
        #expect(shop.live(.milliseconds(29_999)).served == [])
        let expired = shop.live(.milliseconds(1))
        #expect(expired.served == [.expired] && expired.servedRecords.map(\.elapsed) == [.seconds(30)])
    }

    @Test("is not opened again while the store is short of room")
    func shortOfRoom() {
        var shop = Shop()
        let producer = shop.producer()
        let submit = Shop.submit(shop.newOrderID(), Shop.items("grill"), count: 2)
        _ = shop.round(shop.asks(producer, .submit(submit)))
        _ = shop.round(.storeIsShort(true))
        let short = shop.round(shop.asks(producer, .submit(submit)))
        #expect(short.refusals.map(\.reason) == [.unavailable] && short.changes.isEmpty)
        _ = shop.round(.storeIsShort(false))
        #expect(shop.round(shop.asks(producer, .submit(submit))).pagesTaken == [1])
    }

    @Test("is deleted after a minute without a page")
    func abandoned() {
        var shop = Shop()
        let producer = shop.producer()
        let order = shop.newOrderID()
        _ = shop.round(shop.asks(producer, .submit(Shop.submit(order, Shop.items("grill"), count: 2))))
        #expect(shop.live(.milliseconds(59_999)).changes.isEmpty)
        #expect(shop.live(.milliseconds(1)).changes == [.abandoned(order: order)])
        #expect(shop.core.openItems.count == 0)
    }

    @Test("takes its room when it is opened: two never wait for each other")
    func roomIsTakenAtOnce() {
        var configuration = CoreConfiguration()
        configuration.openItemCountMax = 4
        var shop = Shop(configuration)
        let producer = shop.producer()
        let (first, second) = (shop.newOrderID(), shop.newOrderID())
        let items = Shop.items("grill", "grill")
        _ = shop.round(shop.asks(producer, .submit(Shop.submit(first, items, count: 3))))
        let refused = shop.round(shop.asks(producer, .submit(Shop.submit(second, items, count: 3))))
        #expect(refused.refusals.map(\.reason) == [.full])
        let page = Shop.page(first.data, from: 2, Shop.items("grill"))
        #expect(shop.round(shop.asks(producer, .page(page))).receipts.count == 1)
        #expect(shop.core.openItems.count == 3)
    }
}
