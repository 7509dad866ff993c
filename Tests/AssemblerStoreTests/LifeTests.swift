import AssemblerCore
import AssemblerStore
import Testing
import Wire

@Suite("What was committed is there after a restart")
struct LifeTests {
    @Test("a new store is made with its folder, and counts its starts")
    func starts() throws {
        let kitchen = try Kitchen()
        for expected in 1...3 as ClosedRange<UInt32> {
            let store = try Store.open(path: kitchen.path)
            let beginning = try store.begin(at: Sample.now)
            #expect(beginning.incarnation == expected)
            #expect(beginning.orders.isEmpty)
            try store.close()
        }
    }

    @Test("a running order comes back with its items, settled slots and attempts, in the order of acceptance")
    func restored() throws {
        let kitchen = try Kitchen()
        let instance = WorkerInstance(bytes: Array(repeating: 7, count: 16))
        let failure = AttemptRecord(
            attempt: 1, lease: LeaseID(incarnation: 1, number: 1), worker: "worker-1", instance: instance,
            isAlone: false,
            error: ItemError.with {
                $0.kind = .failed
                $0.message = "no bread"
            }, at: Sample.now)
        var loss = failure
        (loss.attempt, loss.isAlone, loss.error) = (2, true, ItemError())
        var takenBack = loss
        takenBack.lease.number = 2
        let store = try kitchen.open()
        try store.commit(Sample.accept(9, itemCount: 600) + Sample.accept(2))
        try store.commit([
            Sample.settle(9, Sample.outcome(1, index: 599), Sample.outcome(2, index: 0, .failed)),
            .attemptFailed(order: Sample.id(9), index: 5, failure),
            .attemptLost(order: Sample.id(9), index: 5, loss),
            .attemptLost(order: Sample.id(9), index: 6, takenBack),
            Sample.settle(9, Sample.outcome(3, index: 7)),
            .cancelRequested(order: Sample.id(2), at: Sample.now),
        ])
        try store.commit([.lossTakenBack(order: Sample.id(9), index: 6, takenBack.lease, from: instance)])
        try store.close()

        let orders = try Store.open(path: kitchen.path).begin(at: Sample.now).orders
        #expect(orders.map(\.accepted.id) == [Sample.id(9), Sample.id(2)])
        let order = try #require(orders.first)
        #expect(order.accepted == Sample.order(9, itemCount: 600))
        #expect(order.isSealed && !order.isCancelRequested)
        #expect(order.items == Sample.items(0..<600).map(ItemHead.init))
        #expect(
            order.settled == [
                .init(index: 599, status: .done), .init(index: 0, status: .failed),
                .init(index: 7, status: .done),
            ])
        #expect(order.lastLanding == 3)
        #expect(
            order.attempts == [
                .init(index: 5, isLost: false, record: failure), .init(index: 5, isLost: true, record: loss),
            ])
        #expect(orders[1].isCancelRequested)
    }

    @Test("an ended order does not come back, and its summary is complete")
    func ended() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.wholeLife(1))
        try store.commit([.elapsed(order: Sample.id(1), .microseconds(3_002_500))])
        try store.close()

        let reopened = try Store.open(path: kitchen.path)
        #expect(try reopened.begin(at: Sample.now).orders.isEmpty)
        let summary = try #require(try reopened.summary(of: Sample.id(1)))
        #expect(
            summary
                == OrderSummary.with {
                    $0.order = Sample.id(1).data
                    $0.name = "order-1"
                    $0.status = .complete
                    $0.itemCount = 3
                    $0.doneCount = 3
                    $0.acceptedAtMs = UInt64(Sample.now.milliseconds)
                    $0.finishedAtMs = UInt64(Sample.now.milliseconds)
                    $0.elapsedUs = 3_002_500
                    $0.lastLanding = 3
                })
        #expect(try Store.verifyAfterClosing(reopened).isSound)
    }

    @Test("an order of no items lives and ends")
    func noItems() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.accept(1, itemCount: 0) + [Sample.served(1, done: 0)])
        #expect(try store.summary(of: Sample.id(1))?.status == .complete)
        #expect(try store.items(of: Sample.id(1), from: 0, countMax: 10).isEmpty)
        #expect(try Store.verifyAfterClosing(store).isSound)
    }

    @Test("an order that is opened again keeps the time of that, until it is sealed (FM-08)")
    func reopened() throws {
        let kitchen = try Kitchen()
        var store = try kitchen.open()
        var head = Sample.order(1, itemCount: 257)
        try store.commit([
            .accepted(head), .page(order: head.id, firstIndex: 0, items: Sample.items(0..<256)),
        ])
        head.acceptedAt.milliseconds += 40_000
        try store.commit([.reopened(head)])
        try store.close()
        store = try Store.open(path: kitchen.path)
        #expect(try store.begin(at: Sample.now).orders.map(\.accepted) == [head])
        try store.commit([
            .page(order: head.id, firstIndex: 256, items: Sample.items(256..<257)), .sealed(order: head.id),
        ])
        #expect(throws: (any Error).self) { try store.commit([.reopened(head)]) }
        #expect(try Store.verifyAfterClosing(store).isSound)
    }

    @Test("an order that was never sealed comes back unsealed, and leaves nothing once abandoned (FM-08)")
    func abandoned() throws {
        let kitchen = try Kitchen()
        var store = try kitchen.open()
        try store.commit([
            .accepted(Sample.order(1, itemCount: 600)),
            .page(order: Sample.id(1), firstIndex: 0, items: Sample.items(0..<256)),
        ])
        try store.close()
        store = try Store.open(path: kitchen.path)
        let order = try #require(try store.begin(at: Sample.now).orders.first)
        #expect(!order.isSealed && order.items.count == 256)
        #expect(try store.list(status: nil, before: nil, countMax: 10).orders.isEmpty)

        try store.commit([.abandoned(order: Sample.id(1))])
        #expect(try store.known(order: Sample.id(1), key: nil) == nil)
        #expect(try store.items(of: Sample.id(1), from: 0, countMax: 10).isEmpty)
        try store.commit(Sample.accept(1))
        let report = try Store.verifyAfterClosing(store)
        #expect(report.isSound && report.itemCount == 3)
    }

    @Test("a round is all or nothing: one change that cannot be written takes the others with it (FM-25)")
    func atomic() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        #expect(throws: StoreError.self) {
            try store.commit(Sample.accept(1) + [Sample.settle(99, Sample.outcome(1, index: 0))])
        }
        #expect(try store.known(order: Sample.id(1), key: nil) == nil)
        #expect(throws: StoreError.self) { try store.commit(Sample.accept(1) + Sample.accept(1)) }
        #expect(try store.known(order: Sample.id(1), key: nil) == nil)
        try store.commit(Sample.accept(1))
        #expect(try store.known(order: Sample.id(1), key: nil) != nil)
    }

    @Test("a known order is found by its id, then by its key (FM-06)")
    func known() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.accept(1, key: "nightly") + Sample.accept(2))
        let byKey = try #require(try store.known(order: Sample.id(7), key: "nightly"))
        #expect(byKey.id == Sample.id(1))
        #expect(byKey.fingerprint == Sample.order(1).fingerprint)
        #expect(try store.known(order: Sample.id(2), key: "nightly")?.id == Sample.id(2))
        #expect(try store.known(order: Sample.id(7), key: "") == nil)
        #expect(throws: StoreError.self) { try store.commit(Sample.accept(3, key: "nightly")) }
    }
}

extension Store {
    static func verifyAfterClosing(_ store: Store) throws -> VerifyReport {
        try store.close()
        return try Store.verify(path: store.path)
    }
}
