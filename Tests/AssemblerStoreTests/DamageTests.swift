import AssemblerCore
import AssemblerStore
import Foundation
import Testing
import Wire

/// What damaged files have once crashed, or were believed for.
@Suite("Damage that SQLite does not see (FM-22)")
struct DamageTests {
    private static let record = AttemptRecord(
        attempt: 1, lease: LeaseID(incarnation: 1, number: 1), worker: "w",
        instance: WorkerInstance(bytes: [1]),
        isAlone: false, error: ItemError(), at: Sample.now)

    private func closed(_ changes: [Change]) throws -> Kitchen {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(changes)
        try store.close()
        return kitchen
    }

    /// The store is refused as damaged, verify says the same, and the file stays as it was.
    private func expectRefused(_ kitchen: Kitchen, _ detail: String) throws {
        let before = try kitchen.bytes
        let error = #expect(throws: StoreError.self) { try kitchen.open() }
        guard case .corrupt(_, let found) = error else {
            Issue.record("\(String(describing: error))"); return
        }
        #expect(found.hasSuffix(detail), "\(found)")
        #expect(try !Store.verify(path: kitchen.path).isSound)
        #expect(try kitchen.bytes == before)
    }

    @Test(
        "values that a column cannot have are no crash",
        arguments: [
            ("tray_order", "accepted_at_ms", "x'0102'"), ("tray_order", "item_count", "NULL"),
            ("tray_order", "is_sealed", "x''"), ("tray_order", "spec", "1e300"),
            ("tray_order", "checksum", "NULL"),
            ("tray_order", "fingerprint", "NULL"), ("item_page", "body", "1e300"),
            ("item_page", "item_count", "x''"),
            ("outcome_batch", "head", "NULL"), ("outcome_batch", "outcome_count", "''"),
            ("attempt", "lease_incarnation", "1e300"), ("attempt", "lease_incarnation", "-1"),
            ("attempt", "worker", "NULL"), ("attempt", "is_alone", "x''"), ("attempt", "error", "NULL"),
        ])
    func wrongValue(table: String, column: String, value: String) throws {
        let kitchen = try closed(
            Sample.accept(1) + [
                .attemptLost(order: Sample.id(1), index: 1, DamageTests.record),
                Sample.settle(1, Sample.outcome(1, index: 2)),
            ])
        try kitchen.tamper(
            """
            PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = replace(replace(sql, 'STRICT', ''), 'NOT NULL', '') WHERE name = '\(table)';
            PRAGMA writable_schema = RESET;
            UPDATE \(table) SET \(column) = \(value)
            """)
        try expectRefused(kitchen, "")
    }

    @Test("an accepted order that says it was not is not deleted, though one bit makes the difference")
    func unsealed() throws {
        let kitchen = try closed(Sample.accept(1))
        try kitchen.tamper("UPDATE tray_order SET is_sealed = 0")
        try expectRefused(kitchen, "3 of its 3 items are there")
    }

    @Test("an order that ended does not run again, though one bit makes the difference")
    func endedBefore() throws {
        let kitchen = try closed(Sample.wholeLife(1))
        try kitchen.tamper("UPDATE tray_order SET status = 0")
        try expectRefused(kitchen, "it runs, but has ended before")
    }

    @Test("an unfinished order has fewer items than it will have")
    func tooManyItems() throws {
        let order = AcceptedOrder(
            id: Sample.id(1), spec: OrderSpec(), itemCount: 3, fingerprint: [1], acceptedAt: Sample.now)
        let kitchen = try closed([
            .accepted(order), .page(order: order.id, firstIndex: 0, items: Sample.items(0..<5)),
        ])
        try expectRefused(kitchen, "5 of its 3 items are there")
    }

    @Test(
        "an order has no number of items that the contract does not know",
        arguments: [-1, 1_000_001, Int.max])
    func impossibleCount(itemCount: Int) throws {
        let order = AcceptedOrder(
            id: Sample.id(1), spec: OrderSpec(), itemCount: itemCount, fingerprint: [1],
            acceptedAt: Sample.now)
        let kitchen = try closed([.accepted(order)])
        try expectRefused(kitchen, "it cannot have \(itemCount) items")
    }

    @Test("an attempt belongs to an item of its order", arguments: [3, -1])
    func foreignAttempt(index: Int) throws {
        let kitchen = try closed(
            Sample.accept(1) + [.attemptLost(order: Sample.id(1), index: index, DamageTests.record)])
        try expectRefused(kitchen, "an item was tried that it does not have")
    }

    @Test("an end with more slots than an order can have is no crash")
    func impossibleEnd() throws {
        let kitchen = try closed(
            Sample.accept(1, itemCount: 0) + [Sample.served(1, done: .max, failed: .max)])
        let store = try kitchen.open()
        #expect(throws: StoreError.self) { try store.summary(of: Sample.id(1)) }
    }

    @Test("items are counted as far as numbers go")
    func countlessItems() throws {
        let kitchen = try closed(Sample.accept(1) + Sample.accept(2))
        try kitchen.tamper("UPDATE tray_order SET item_count = 9223372036854775807")
        let store = try Store.open(path: kitchen.path)
        #expect(try store.standing().openItemCount == .max)
    }
}
