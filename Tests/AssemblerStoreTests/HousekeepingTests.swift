import AssemblerCore
import AssemblerStore
import Foundation
import Testing
import Wire

@Suite("Housekeeping")
struct HousekeepingTests {
    @Test("retention deletes what ended before its limit, the longest ended first, in slices (FM-04)")
    func retention() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        for number in 1...6 as ClosedRange<UInt64> {
            let end = WallTime(milliseconds: Sample.now.milliseconds + Int64(number))
            try store.commit(Sample.wholeLife(number, at: end))
        }
        try store.commit(Sample.accept(7, key: "k"))
        let limit = WallTime(milliseconds: Sample.now.milliseconds + 6)
        #expect(try store.deleteEnded(before: limit, orderCountMax: 3) == 3)
        #expect(try store.summary(of: Sample.id(3)) == nil)
        #expect(try store.summary(of: Sample.id(4)) != nil)
        #expect(try store.deleteEnded(before: limit, orderCountMax: 3) == 2)
        #expect(try store.deleteEnded(before: limit, orderCountMax: 3) == 0)
        #expect(try store.slotStatuses(of: Sample.id(1), from: 0, countMax: 1).isEmpty)
        let report = try Store.verifyAfterClosing(store)
        #expect(report.isSound)
        #expect((report.orderCount, report.itemCount, report.outcomeCount) == (2, 6, 3))
    }

    @Test("a deleted order is gone at once, its rows follow in slices, and its id is free")
    func slices() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.accept(1, itemCount: 600, pageItemCount: 6))
        try store.commit([.cancelRequested(order: Sample.id(1), at: Sample.now)])
        try store.commit((0..<600).map { Sample.settle(1, Sample.outcome($0 + 1, index: $0)) })
        try store.commit([Sample.served(1, done: 600), .accepted(Sample.order(2, itemCount: 9))])
        #expect(try store.deleteEnded(before: WallTime(milliseconds: .max), orderCountMax: 9) == 1)
        try store.commit([.abandoned(order: Sample.id(2))])
        #expect(try store.list(status: nil, before: nil, countMax: 9).orders.isEmpty)
        try store.commit(Sample.accept(1) + Sample.accept(2))
        #expect(try store.tidy(budget: .zero))
        var sliceCount = 1
        while try store.tidy(budget: .zero) { sliceCount += 1 }
        #expect(sliceCount > 600 / 16)
        let report = try Store.verifyAfterClosing(store)
        #expect(report.isSound)
        #expect((report.orderCount, report.itemCount, report.outcomeCount) == (2, 6, 0))
        #expect(try kitchen.rowCount("tray_order") == 2)
        #expect(try kitchen.rowCount("item_page") == 2)
        #expect(try kitchen.rowCount("outcome_batch") == 0)
    }

    @Test("a key can be used again once its order is deleted")
    func keyReuse() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.accept(1, itemCount: 0, key: "k") + [Sample.served(1, done: 0)])
        #expect(try store.deleteEnded(before: WallTime(milliseconds: .max), orderCountMax: 1) == 1)
        try store.commit(Sample.accept(2, key: "k"))
        #expect(try store.known(order: nil, key: "k")?.id == Sample.id(2))
    }

    @Test("deleted orders give their room back to the file system, a slice at a time")
    func vacuum() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        for number in 1...32 as ClosedRange<UInt64> {
            try store.commit(
                Sample.accept(number, itemCount: 1, byteCount: 1 << 20)
                    + [Sample.settle(number, Sample.outcome(1, index: 0)), Sample.served(number, done: 1)])
            try store.tidy(budget: .milliseconds(5))
        }
        #expect(try store.deleteEnded(before: WallTime(milliseconds: .max), orderCountMax: 99) == 32)
        var sliceCount = 0
        while try store.tidy(budget: .milliseconds(5)) { sliceCount += 1 }
        #expect(sliceCount > 0)
        try store.close()
        let byteCount = try kitchen.bytes.count
        #expect(byteCount < 18 << 20 && byteCount > 1 << 20, "\(byteCount)")
    }

    @Test("the log does not grow without bound while commits follow commits")
    func log() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        for number in 1...40 as ClosedRange<UInt64> {
            try store.commit(Sample.accept(number, itemCount: 1, byteCount: 1 << 20))
            try store.tidy(budget: .milliseconds(5))
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(kitchen.path)-wal")
        let byteCount = try #require(attributes[.size] as? Int)
        #expect(byteCount < 8 << 20, "\(byteCount)")
    }
}
