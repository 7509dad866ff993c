import AssemblerCore
import AssemblerStore
import Foundation
import GRDB
import Wire

/// Stores that SQLite finds nothing wrong with, and that no assembler has written: by statements of SQL behind
/// the store's back, and by a store that was told nonsense, so that every checksum agrees.
struct MadStores<Generator: RandomNumberGenerator> {
    var generator: Generator

    private mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: 0..<values.count, using: &generator)]
    }

    private mutating func number() -> Int {
        pick([0, 1, 2, 3, -1, 255, 1_000_000, 1_000_001, 1 << 31, 1 << 32, 1 << 40, .max, .min, .max - 1])
    }

    private mutating func unsigned() -> UInt32 { pick([0, 1, 2, 3, 7, 1_000_000, .max, 1 << 31]) }

    // MARK: SQL

    /// One to four statements that change what is there; those that SQLite refuses change nothing.
    mutating func tamper(_ path: String) throws {
        let statements = (0..<Int.random(in: 1...4, using: &generator)).map { _ in statement() }
        let connection = try DatabaseQueue(path: path)
        try connection.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA foreign_keys = \(pick(["ON", "OFF"]))")
            for statement in statements {
                do { try database.execute(sql: statement) } catch is DatabaseError { continue }
            }
        }
        try connection.close()
    }

    private static var columns: [(table: String, columns: [String])] {
        [
            (
                "tray_order",
                [
                    "number", "id", "key", "status", "is_sealed", "item_count", "accepted_at_ms",
                    "cancel_requested_at_ms", "served_at_ms", "elapsed_us", "done_count", "failed_count",
                    "served_checksum", "checksum", "fingerprint", "spec",
                ]
            ),
            ("item_page", ["number", "order_number", "first_index", "item_count", "checksum", "body"]),
            (
                "outcome_batch",
                [
                    "number", "order_number", "first_landing", "outcome_count", "head_checksum",
                    "body_checksum",
                    "head", "body",
                ]
            ),
            (
                "attempt",
                [
                    "number", "order_number", "item_index", "is_lost", "attempt", "lease_incarnation",
                    "lease_number", "is_alone", "at_ms", "worker", "instance", "checksum", "error",
                ]
            ), ("assembler_start", ["incarnation", "at_ms"]), ("grdb_migrations", ["identifier"]),
        ]
    }

    private mutating func statement() -> String {
        let (table, columns) = pick(Self.columns)
        let column = pick(columns)
        let condition = pick(["", "WHERE rowid = \(Int.random(in: 1...8, using: &generator))"])
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...4: return "UPDATE OR IGNORE \(table) SET \(column) = \(value()) \(condition)"
        case 5: return "DELETE FROM \(table) \(condition)"
        case 6:
            let others = columns.filter { $0 != "number" && $0 != "id" && $0 != "key" }.joined(
                separator: ", ")
            return "INSERT OR IGNORE INTO \(table) (\(others)) SELECT \(others) FROM \(table) \(condition)"
        case 7:
            return pick([
                "DROP TABLE \(table)", "ALTER TABLE \(table) RENAME TO other",
                "ALTER TABLE \(table) DROP COLUMN \(column)",
                "ALTER TABLE \(table) RENAME COLUMN \(column) TO x",
                "PRAGMA user_version = \(number())", "PRAGMA application_id = \(number())",
                "DROP INDEX tray_order_running", "CREATE TABLE song (title TEXT)",
                "PRAGMA journal_mode = DELETE", "PRAGMA auto_vacuum = NONE",
            ])
        case 8: return loosened(table, column)
        default:
            return
                "UPDATE OR IGNORE \(table) SET \(column) = (SELECT \(column) FROM \(table) ORDER BY random() LIMIT 1)"
        }
    }

    private mutating func value() -> String {
        pick([
            "NULL", "\(number())", "'text'", "x''", "x'00'", "x'ffffffffffffffff'", "zeroblob(200000)",
            "1e300",
            "-1.5", "randomblob(16)", "randomblob(8)", "''", "\(column0x())",
        ])
    }

    private mutating func column0x() -> String {
        "x'\(pick(["08", "0a", "12", "ff"]))\(pick(["7f", "ff", "00"]))ff'"
    }

    /// A table whose columns no longer say what may stand in them, and a value in it that must not.
    private mutating func loosened(_ table: String, _ column: String) -> String {
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = replace(replace(sql, 'STRICT', ''), 'NOT NULL', '') WHERE name = '\(table)';
        PRAGMA writable_schema = RESET;
        UPDATE OR IGNORE \(table) SET \(column) = \(value());
        """
    }

    // MARK: Nonsense

    /// Commits orders, pages, outcomes, attempts and ends that cannot be.
    mutating func commitNonsense(to path: String) throws {
        let store = try Store.open(path: path)
        _ = try store.begin(at: Sample.now)
        for order in 50..<UInt64(51 + pick([0, 1, 2])) {
            var changes = [acceptance(order)]
            for _ in 0..<Int.random(in: 0...4, using: &generator) { changes.append(change(order)) }
            // What the tables themselves do not take is no nonsense that a file could have.
            do { try store.commit(changes) } catch { continue }
        }
        try store.close()
    }

    private mutating func acceptance(_ order: UInt64) -> Change {
        let accepted = AcceptedOrder(
            id: Sample.id(order),
            spec: OrderSpec.with {
                $0.name = pick(["", "order", String(repeating: "n", count: 5_000)])
                $0.deadlineMs = UInt64(bitPattern: Int64(number()))
                $0.notBeforeMs = UInt64(bitPattern: Int64(number()))
                $0.priority = Int32(truncatingIfNeeded: number())
                $0.enough = unsigned()
                $0.maxParallel = unsigned()
                $0.tolerated = unsigned()
                $0.failure = FailurePolicy(rawValue: Int(unsigned() % 7)) ?? .init()
            }, itemCount: pick([0, 1, 2, 3, number()]),
            fingerprint: [UInt8](repeating: 7, count: pick([0, 8, 64, 5_000])),
            acceptedAt: WallTime(milliseconds: Int64(number())))
        return .accepted(accepted)
    }

    private mutating func change(_ order: UInt64) -> Change {
        let id = Sample.id(order)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0, 1: return .page(order: id, firstIndex: pick([0, 0, 1, 3, 1 << 31]), items: items())
        case 2: return .sealed(order: id)
        case 3: return .settled(order: id, outcomes: (0..<pick([1, 2, 3])).map { _ in outcome() })
        case 4: return .attemptLost(order: id, index: pick([0, number()]), attempt())
        case 5: return .attemptFailed(order: id, index: pick([0, number()]), attempt())
        default: return served(id)
        }
    }

    private mutating func items() -> [Item] {
        (0..<pick([1, 1, 2, 3, 300])).map { _ in
            Item.with {
                $0.name = pick(["", "item"])
                $0.station = pick(["grill", "", "a b", String(repeating: "s", count: 300)])
                $0.payload.data = Data(count: pick([0, 10, 70_000]))
                $0.timeoutMs = UInt64(bitPattern: Int64(number()))
                $0.attemptsMax = unsigned()
            }
        }
    }

    private mutating func outcome() -> Outcome {
        Outcome.with {
            $0.landing = pick([1, 1, 2, unsigned()])
            $0.index = pick([0, 0, 1, unsigned()])
            $0.status = ItemStatus(rawValue: Int(unsigned() % 9)) ?? .done
            $0.attempts = unsigned()
            $0.result.data = Data(count: pick([0, 8, 70_000]))
            $0.finishedAtMs = UInt64(bitPattern: Int64(number()))
        }
    }

    private mutating func attempt() -> AttemptRecord {
        AttemptRecord(
            attempt: number(),
            lease: LeaseID(incarnation: unsigned(), number: UInt64(bitPattern: Int64(number()))),
            worker: pick(["", "worker-1"]),
            instance: WorkerInstance(bytes: pick([[], [1], Array(repeating: 7, count: 16)])),
            isAlone: pick([true, false]), error: ItemError(), at: WallTime(milliseconds: Int64(number())))
    }

    private mutating func served(_ order: OrderID) -> Change {
        var counts = TrayCounts()
        (counts.done, counts.failed, counts.cancelled) = (number(), number(), number())
        return .served(
            order: order,
            ServedRecord(
                status: OrderStatus(rawValue: pick([0, 1, 2, 3, 4, 5, 6, 255])) ?? .UNRECOGNIZED(9),
                at: WallTime(milliseconds: Int64(number())), elapsed: .microseconds(Int64(number())),
                counts: counts))
    }
}
