import AssemblerCore
import AssemblerStore
import Testing
import Wire

@Suite("Reading back")
struct ReadingTests {
    private let kitchen: Kitchen
    private let store: Store

    init() throws {
        kitchen = try Kitchen()
        store = try kitchen.open()
    }

    @Test("items are read across pages, from anywhere")
    func items() throws {
        try store.commit(Sample.accept(1, itemCount: 25, pageItemCount: 10))
        let all = Sample.items(0..<25)
        #expect(try store.items(of: Sample.id(1), from: 0, countMax: 100) == all)
        #expect(try store.items(of: Sample.id(1), from: 9, countMax: 2) == Array(all[9..<11]))
        #expect(try store.items(of: Sample.id(1), from: 10, countMax: 10) == Array(all[10..<20]))
        #expect(try store.items(of: Sample.id(1), from: 24, countMax: 5) == [all[24]])
        #expect(try store.items(of: Sample.id(1), from: 25, countMax: 5).isEmpty)
        #expect(try store.items(of: Sample.id(1), from: 3, countMax: 0).isEmpty)
        #expect(try store.items(of: Sample.id(2), from: 0, countMax: 5).isEmpty)
    }

    @Test("the page of an item is found")
    func page() throws {
        try store.commit(Sample.accept(1, itemCount: 25, pageItemCount: 10))
        let page = try #require(try store.page(of: Sample.id(1), containing: 19))
        #expect(page.firstIndex == 10 && page.items == Sample.items(10..<20))
        #expect(try store.page(of: Sample.id(1), containing: 20)?.firstIndex == 20)
        #expect(try store.page(of: Sample.id(1), containing: 25) == nil)
        #expect(try store.page(of: Sample.id(2), containing: 0) == nil)
    }

    @Test("outcomes go on from any cursor, within their limits")
    func outcomes() throws {
        let outcomes = (1...9).map { Sample.outcome($0, index: 9 - $0, byteCount: 1_000) }
        try store.commit(
            Sample.accept(1, itemCount: 9)
                + [0..<3, 3..<4, 4..<9].map { .settled(order: Sample.id(1), outcomes: Array(outcomes[$0])) })
        func read(after landing: Int, _ countMax: Int = 100, _ bytesMax: Int = 1 << 20) throws -> [Outcome] {
            try store.outcomes(of: Sample.id(1), after: landing, countMax: countMax, bytesMax: bytesMax)
        }
        #expect(try read(after: 0) == outcomes)
        for cursor in 0...9 {
            #expect(try read(after: cursor, 2) == Array(outcomes.dropFirst(cursor).prefix(2)))
        }
        #expect(try read(after: 2, 100, 2_500) == Array(outcomes[2..<4]))
        #expect(try read(after: 2, 100, 1) == [outcomes[2]])
        #expect(try read(after: 9).isEmpty)
        #expect(try store.outcomes(of: Sample.id(2), after: 0, countMax: 5, bytesMax: 1).isEmpty)
    }

    @Test("a slot that has not settled is waiting, also where another order was asked for last")
    func slotStatuses() throws {
        try store.commit(Sample.wholeLife(1) + Sample.accept(2))
        #expect(try store.slotStatuses(of: Sample.id(1), from: 0, countMax: 9) == [.done, .done, .done])
        #expect(
            try store.slotStatuses(of: Sample.id(2), from: 0, countMax: 9) == [.waiting, .waiting, .waiting])
        try store.commit([Sample.settle(2, Sample.outcome(1, index: 1, .poisoned))])
        #expect(try store.slotStatuses(of: Sample.id(2), from: 1, countMax: 1) == [.poisoned])
        #expect(try store.slotStatuses(of: Sample.id(1), from: 2, countMax: 9) == [.done])
        #expect(try store.slotStatuses(of: Sample.id(1), from: 3, countMax: 9).isEmpty)
        #expect(try store.slotStatuses(of: Sample.id(3), from: 0, countMax: 9).isEmpty)
    }

    @Test("a running order's summary says what has landed")
    func runningSummary() throws {
        try store.commit(Sample.accept(1) + [Sample.settle(1, Sample.outcome(1, index: 2, .failed))])
        let summary = try #require(try store.summary(of: Sample.id(1)))
        #expect(summary.status == .running && summary.failedCount == 1 && summary.waitingCount == 2)
        #expect(summary.lastLanding == 1 && summary.finishedAtMs == 0)
        #expect(try store.summary(of: Sample.id(2)) == nil)
    }

    @Test("orders are listed newest first, in pages, also past a page's last order once that is deleted")
    func list() throws {
        for number in 1...5 as ClosedRange<UInt64> { try store.commit(Sample.wholeLife(number)) }
        try store.commit(Sample.accept(6) + [.accepted(Sample.order(7))])
        func names(_ status: OrderStatus?, _ before: UInt64?, _ countMax: Int) throws -> ([String], Bool) {
            let page = try store.list(status: status, before: before.map(Sample.id), countMax: countMax)
            return (page.orders.map(\.name), page.more)
        }
        #expect(try names(nil, nil, 2) == (["order-6", "order-5"], true))
        #expect(try names(nil, 5, 2) == (["order-4", "order-3"], true))
        #expect(try names(.complete, nil, 9) == ((1...5).reversed().map { "order-\($0)" }, false))
        #expect(try names(.running, nil, 9) == (["order-6"], false))
        #expect(try names(.failed, nil, 9) == ([], false))
        #expect(try store.deleteEnded(before: WallTime(milliseconds: .max), orderCountMax: 9) == 5)
        #expect(try names(nil, 7, 1) == (["order-6"], false))
        #expect(try names(nil, 5, 9) == ([], false))
    }
}
