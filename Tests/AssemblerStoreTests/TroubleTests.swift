import AssemblerCore
import AssemblerStore
import Foundation
import GRDB
import Glibc
import Testing
import Wire

@Suite("A store in trouble is refused, named and left as it is (FM-22)")
struct TroubleTests {
    private func complaint(_ kitchen: Kitchen) -> StoreError? {
        do {
            _ = try kitchen.open()
            return nil
        } catch {
            return error as? StoreError
        }
    }

    private func closed(_ changes: [Change]) throws -> Kitchen {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(changes)
        try store.close()
        return kitchen
    }

    @Test("a second assembler on the same store names the process that holds it")
    func locked() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        let error = try #require(complaint(kitchen))
        #expect(error == .locked(path: kitchen.path, processID: getpid()))
        #expect("\(error)".contains("in use by process \(getpid())"))
        try store.close()
        #expect(complaint(kitchen) == nil)
    }

    @Test("the file of another application stays byte for byte as it was")
    func foreign() throws {
        let kitchen = try closed([])
        try FileManager.default.removeItem(atPath: kitchen.path)
        try kitchen.tamper("CREATE TABLE song (title TEXT); INSERT INTO song VALUES ('Tray')")
        let before = try kitchen.bytes
        guard case .foreign = complaint(kitchen) else { Issue.record("it was opened"); return }
        #expect(try kitchen.bytes == before)
        #expect(throws: StoreError.self) { try Store.verify(path: kitchen.path) }
        #expect(try kitchen.bytes == before)
    }

    @Test(
        "what is no SQLite file at all is refused",
        arguments: ["hello\n", String(repeating: "x", count: 9_000)])
    func notSQLite(text: String) throws {
        let kitchen = try closed([])
        try Data(text.utf8).write(to: URL(filePath: kitchen.path))
        guard case .foreign = complaint(kitchen) else { Issue.record("it was opened"); return }
        #expect(try kitchen.bytes == Array(text.utf8))
    }

    @Test("a store of a later version is refused, by its number or by a migration that nobody knows here")
    func newer() throws {
        for sql in ["PRAGMA user_version = 7", "INSERT INTO grdb_migrations VALUES ('3')"] {
            let kitchen = try closed(Sample.accept(1))
            try kitchen.tamper(sql)
            let before = try kitchen.bytes
            guard case .newer = complaint(kitchen) else { Issue.record("it was opened"); return }
            #expect(try kitchen.bytes == before)
        }
    }

    @Test("a store that lost its end is refused (FM-22)")
    func truncated() throws {
        let kitchen = try closed(Sample.accept(1, itemCount: 600, byteCount: 1_000))
        let half = Data(try kitchen.bytes.prefix(100_000))
        try half.write(to: URL(filePath: kitchen.path))
        guard case .corrupt(_, let detail) = complaint(kitchen) else { Issue.record("it was opened"); return }
        #expect(detail.contains("its end is missing"))
        #expect(try kitchen.bytes == Array(half))
    }

    @Test(
        "one changed byte in a running order is found at the start, and its row is named",
        arguments: [
            ("UPDATE item_page SET item_count = 2", "item_page 0 of order"),
            ("UPDATE outcome_batch SET head = x'0000000102'", "outcome_batch 1 of order"),
            ("UPDATE outcome_batch SET first_landing = 2", "outcome_batch 2 of order"),
            ("UPDATE attempt SET item_index = 2", "attempt number 1 of order"),
            ("UPDATE tray_order SET spec = x'0a0178'", "order 0"),
            ("UPDATE tray_order SET item_count = 4", "order 0"),
            ("DELETE FROM item_page", "order 0"),
            ("DELETE FROM outcome_batch WHERE first_landing = 1", "order 0"),
        ])
    func changedByte(sql: String, row: String) throws {
        let record = AttemptRecord(
            attempt: 1, lease: LeaseID(incarnation: 1, number: 1), worker: "w",
            instance: WorkerInstance(bytes: [1]), isAlone: false, error: ItemError(),
            at: Sample.now)
        var changes =
            Sample.accept(1) + [
                .attemptLost(order: Sample.id(1), index: 1, record),
                Sample.settle(1, Sample.outcome(1, index: 2)),
            ]
        if sql.hasPrefix("DELETE FROM outcome") {
            changes.append(Sample.settle(1, Sample.outcome(2, index: 1)))
        }
        let kitchen = try closed(changes)
        #expect(try Store.verify(path: kitchen.path).isSound)
        try kitchen.tamper(sql)
        guard case .corrupt(_, let detail) = complaint(kitchen) else { Issue.record("it was opened"); return }
        #expect(detail.hasPrefix(row), "\(detail)")
        let problems = try Store.verify(path: kitchen.path).problems
        #expect(problems.contains { $0.row.hasPrefix(row) }, "\(problems)")
    }

    @Test("one changed bit of an item in the file is found at the start, and its row is named (FM-22)")
    func changedBit() throws {
        let kitchen = try closed(Sample.accept(1, itemCount: 20, pageItemCount: 10))
        try kitchen.flip("item-17")
        guard case .corrupt(_, let detail) = complaint(kitchen) else { Issue.record("it was opened"); return }
        #expect(detail == "item_page 10 of order \(Sample.id(1)): its checksum does not agree")
        #expect(
            try Store.verify(path: kitchen.path).problems.map(\.row) == [
                "item_page 10 of order \(Sample.id(1))"
            ])
    }

    @Test("a row moved to another order is found out")
    func movedRow() throws {
        let kitchen = try closed(Sample.accept(1) + Sample.accept(2))
        try kitchen.tamper(
            """
            DELETE FROM item_page WHERE order_number = 2;
            UPDATE item_page SET order_number = 2;
            DELETE FROM tray_order WHERE number = 1
            """)
        guard case .corrupt(_, let detail) = complaint(kitchen) else { Issue.record("it was opened"); return }
        #expect(detail == "item_page 0 of order \(Sample.id(2)): its checksum does not agree")
    }

    @Test("a changed result is found when it is read, and by verify")
    func changedResult() throws {
        var outcome = Sample.outcome(2, index: 0)
        outcome.worker = "worker-9"
        let kitchen = try closed(
            Sample.accept(1) + [Sample.settle(1, Sample.outcome(1, index: 2)), Sample.settle(1, outcome)])
        try kitchen.flip("worker-9")
        let store = try kitchen.open()
        #expect(try store.outcomes(of: Sample.id(1), after: 0, countMax: 1, bytesMax: 99).count == 1)
        #expect(throws: StoreError.self) {
            try store.outcomes(of: Sample.id(1), after: 1, countMax: 1, bytesMax: 99)
        }
        let report = try Store.verifyAfterClosing(store)
        #expect(report.problems.map(\.row) == ["outcome_batch 2 of order \(Sample.id(1))"])
    }

    @Test(
        "verify compares an end with its outcomes",
        arguments: [
            ("UPDATE tray_order SET status = 3", "the checksum of its end"),
            ("DELETE FROM outcome_batch WHERE first_landing = 2", "it has ended with 1 of 3 slots settled"),
            ("UPDATE tray_order SET is_sealed = 0", "it has ended without being sealed"),
        ])
    func verifiedEnd(sql: String, detail: String) throws {
        let kitchen = try closed(Sample.wholeLife(1))
        try kitchen.tamper(sql)
        let problems = try Store.verify(path: kitchen.path).problems
        #expect(problems.contains { $0.detail.hasPrefix(detail) }, "\(problems)")
    }

    @Test("verify counts what it read, also beside a running assembler")
    func verifyCounts() throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.wholeLife(1) + Sample.accept(2, itemCount: 300))
        let report = try Store.verify(path: kitchen.path)
        #expect(report.isSound, "\(report.problems)")
        #expect((report.orderCount, report.itemCount, report.outcomeCount) == (2, 303, 3))
        try store.commit([Sample.settle(2, Sample.outcome(1, index: 299))])
        try store.close()
    }

    @Test("somebody who reads the file keeps no assembler from stopping or starting")
    func reader() throws {
        let kitchen = try closed(Sample.accept(1))
        let store = try kitchen.open()
        let reader = try DatabaseQueue(path: kitchen.path)
        try reader.read { database in
            #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM tray_order") == 1)
            try store.commit(Sample.accept(2))
            try store.close()
            let reopened = try Store.open(path: kitchen.path)
            #expect(try reopened.begin(at: Sample.now).orders.count == 2)
            try reopened.close()
            #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM tray_order") == 1)
        }
    }

    @Test("there is nothing to verify where there is no store")
    func verifyNothing() {
        #expect(throws: StoreError.self) { try Store.verify(path: "/nowhere/tray.sqlite") }
    }

    /// It has a length and can be opened, and reading it fails.
    private static let unreadable = "/sys/class/net/lo/speed"
    private static let isUnreadable: Bool = {
        let descriptor = Glibc.open(unreadable, O_RDONLY)
        defer { Glibc.close(descriptor) }
        var byte: UInt8 = 0
        return descriptor >= 0 && read(descriptor, &byte, 1) < 0 && errno == EINVAL
    }()

    @Test("a file that cannot be read is refused with the system's reason", .enabled(if: isUnreadable))
    func unreadableFile() {
        let error = #expect(throws: StoreError.self) { try Store.verify(path: TroubleTests.unreadable) }
        let reason = String(cString: strerror(EINVAL))
        #expect(error?.description.contains("the file: \(reason)") == true, "\(error as Any)")
    }

    @Test("a folder that cannot be made is named")
    func noFolder() {
        let error = #expect(throws: StoreError.self) { try Store.open(path: "/dev/null/data/tray.sqlite") }
        #expect(error?.description.contains("/dev/null/data") == true)
    }
}
