import AssemblerCore
import GRDB
import Wire

/// What `Store.verify` found.
public struct VerifyReport: Equatable, Sendable {
    public struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// Such as `item_page 256 of order 01K…`, or `file`.
        public let row: String
        public let detail: String

        public var description: String { "\(row): \(detail)" }
    }

    public internal(set) var orderCount = 0
    public internal(set) var itemCount = 0
    public internal(set) var outcomeCount = 0
    public internal(set) var attemptCount = 0
    public internal(set) var problems: [Problem] = []

    public var isSound: Bool { problems.isEmpty }
}

extension Store {
    /// Reads a store from end to end and changes nothing: SQLite's own check, every checksum, every message,
    /// landings without gaps, counts that agree, and an outcome in every slot of an ended order.
    ///
    /// It may run beside an assembler that works on the store.
    /// - Throws: `StoreError` where the file is no store at all; damage is in the report.
    public static func verify(path: String) throws(StoreError) -> VerifyReport {
        let path = try StorePlace(path).path
        guard try StoreFile.inspect(path) == .store else {
            throw .inaccessible(path: path, detail: "there is no store")
        }
        var configuration = Configuration()
        configuration.readonly = true
        do {
            let connection = try DatabaseQueue(path: path, configuration: configuration)
            var report = try connection.read { database in
                var verifier = Verifier(database: database)
                verifier.run()
                return verifier.report
            }
            // An assembler that writes to its log meanwhile may be seen in the middle of it, but not twice.
            if let damage = try LogFile.damage(ofStore: path), try damage == LogFile.damage(ofStore: path) {
                report.problems.append(VerifyReport.Problem(row: "log", detail: damage))
            }
            return report
        } catch {
            throw StoreError(error, path: path)
        }
    }
}

/// One reading of a store. Damage to one order does not hide that of another.
private struct Verifier {
    let database: Database
    var report = VerifyReport()

    mutating func run() {
        note("file") { verifier in
            for line in try String.fetchAll(verifier.database, sql: "PRAGMA integrity_check")
            where line != "ok" {
                verifier.add("file", line)
            }
            for row in try Row.fetchAll(verifier.database, sql: "PRAGMA foreign_key_check") {
                verifier.add("\(row[0] as String) number \(row[1] as Int64)", "it belongs to no order")
            }
        }
        note("tray_order") { verifier in
            let numbers = try Int64.fetchAll(
                verifier.database, sql: "SELECT number FROM tray_order WHERE id IS NOT NULL ORDER BY number")
            for number in numbers {
                verifier.note("tray_order number \(number)") { try $0.checkOrder(number) }
            }
        }
    }

    private mutating func checkOrder(_ number: Int64) throws {
        let sql = "SELECT \(OrderRow.columns) FROM tray_order WHERE number = ?"
        guard let row = try Row.fetchOne(database, sql: sql, arguments: [number]) else { return }
        report.orderCount += 1
        let order = try OrderRow(row)
        let name = "order \(order.accepted.id)"
        note(name) { try $0.checkItems(order, name) }
        note(name) { try $0.checkOutcomes(order, name) }
        note(name) { verifier in
            let attempts = try verifier.database.attempts(order)
            verifier.report.attemptCount += attempts.count
            if !attempts.allSatisfy({ order.accepted.itemCount > $0.index && $0.index >= 0 }) {
                verifier.add(name, "an item was tried that it does not have")
            }
        }
    }

    private mutating func checkItems(_ order: OrderRow, _ name: String) throws {
        var itemCount = 0
        try database.eachPage(order) { itemCount += $0.items.count }
        report.itemCount += itemCount
        let expected = order.accepted.itemCount
        if order.isSealed ? itemCount != expected : itemCount >= expected {
            let seal = order.isSealed ? "sealed" : "not sealed"
            add(name, "it has \(itemCount) of \(expected) items, and is \(seal)")
        }
        if order.served != nil && !order.isSealed { add(name, "it has ended without being sealed") }
    }

    private mutating func checkOutcomes(_ order: OrderRow, _ name: String) throws {
        var (counts, slots) = (TrayCounts(), [RestoredOrder.Settled]())
        try database.eachOutcomeHead(order) { head in
            head.slots.forEach { counts.add($0.status) }
            slots += head.slots
        }
        report.outcomeCount += slots.count
        if Set(slots.map(\.index)).count != slots.count { add(name, "a slot is settled more than once") }
        if let served = order.served {
            if served.counts != counts { add(name, "the counts of its end are not those of its outcomes") }
            if slots.count != order.accepted.itemCount {
                add(name, "it has ended with \(slots.count) of \(order.accepted.itemCount) slots settled")
            }
        }
        try checkBodies(order, slots, name)
    }

    /// Row by row, so that one damaged result does not hide the next.
    private mutating func checkBodies(
        _ order: OrderRow, _ slots: [RestoredOrder.Settled], _ name: String
    ) throws {
        let sql =
            """
            SELECT \(OutcomeBodyRow.columns) FROM outcome_batch WHERE order_number = ? ORDER BY first_landing
            """
        let rows = try Row.fetchCursor(database, sql: sql, arguments: [order.number])
        while let row = try rows.next() {
            note(name) { verifier in
                for outcome in try OutcomeBodyRow(row, of: order.accepted.id).outcomes {
                    let position = Int(outcome.landing) - 1
                    let slot = RestoredOrder.Settled(index: Int(outcome.index), status: outcome.status)
                    if !slots.indices.contains(position) || slots[position] != slot {
                        verifier.add(name, "outcome \(outcome.landing) is not that of its slot")
                    }
                }
            }
        }
    }

    /// Runs a check; whatever it throws becomes a problem.
    private mutating func note(_ row: String, _ check: (inout Verifier) throws -> Void) {
        do {
            try check(&self)
        } catch let damage as Damage {
            add(damage.row, damage.detail)
        } catch {
            add(row, "\(error)")
        }
    }

    private mutating func add(_ row: String, _ detail: String) {
        report.problems.append(VerifyReport.Problem(row: row, detail: detail))
    }
}
