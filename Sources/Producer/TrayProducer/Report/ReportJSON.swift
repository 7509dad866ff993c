import Foundation
import Wire

// What `--json` prints. docs/cli.md lists these keys; scripts depend on their names, their order and their
// types.

extension Receipt {
    package var json: JSONValue { .object([("order", .orderID(order)), ("status", .string(status.text))]) }
}

extension TrayReport {
    package var json: JSONValue { .object(summary.members + [("items", .array(items.map(\.json)))]) }
}

extension OrderSummary {
    /// The order and its state alone, as a receipt has them.
    package var receipt: JSONValue {
        .object([("order", .orderID(order)), ("status", .string(status.text))])
    }

    package var json: JSONValue { .object(members) }

    fileprivate var members: [(key: String, value: JSONValue)] {
        [
            ("order", .orderID(order)),
            ("name", .optional(name.isEmpty ? nil : name)),
            ("status", .string(status.text)),
            ("elapsed_seconds", .number(Figures.seconds(microseconds: elapsedUs))),
            ("accepted_at", .optional(Figures.time(milliseconds: acceptedAtMs))),
            ("finished_at", .optional(Figures.time(milliseconds: finishedAtMs))),
            ("counts", counts),
        ]
    }

    private var counts: JSONValue {
        let counts = [
            ("total", itemCount), ("done", doneCount), ("failed", failedCount), ("cancelled", cancelledCount),
            ("expired", expiredCount), ("poisoned", poisonedCount), ("waiting", waitingCount),
            ("leased", leasedCount),
        ]
        return .object(counts.map { (key: $0.0, value: .integer(Int($0.1))) })
    }
}

extension ReportItem {
    /// An entry of a report's `items`.
    package var json: JSONValue { .object(members) }

    /// A line of `--follow --json`.
    package func json(order: OrderID, landing: Int) -> JSONValue {
        .object([("order", .string(order.description)), ("landing", .integer(landing))] + members)
    }

    private var members: [(key: String, value: JSONValue)] {
        [
            ("index", .integer(index)),
            ("name", .optional(name.isEmpty ? nil : name)),
            ("station", .string(station)),
            ("status", .string(status.text)),
            ("attempts", .integer(attempts)),
            ("worker", .optional(worker)),
            result?.resultMember ?? ("result", .null),
            ("error", error?.json ?? .null),
            ("started_at", .time(startedAt)),
            ("finished_at", .time(finishedAt)),
        ]
    }

    /// What an item of `name` and `station` was settled with.
    package init(_ outcome: Outcome, name: String, station: String) {
        self.init(
            index: Int(outcome.index), name: name, station: station, status: outcome.status,
            attempts: Int(outcome.attempts), worker: outcome.worker.isEmpty ? nil : outcome.worker,
            result: outcome.status == .done ? outcome.result : nil,
            error: outcome.status == .done ? nil : outcome.error,
            startedAt: WallTime(field: outcome.startedAtMs), finishedAt: WallTime(field: outcome.finishedAtMs)
        )
    }
}

extension ItemError {
    fileprivate var json: JSONValue {
        .object([("kind", .string(kind.text)), ("message", .string(message))])
    }
}

extension Content {
    /// JSON where the handler says so and it is, else text where it is UTF-8, else base 64 under a key of its
    /// own.
    fileprivate var resultMember: (key: String, value: JSONValue) {
        if kind == .json, let json = JSONValue(compacting: data) { return ("result", json) }
        if let text = String(validating: data, as: UTF8.self) { return ("result", .string(text)) }
        return ("result_base64", .string(data.base64EncodedString()))
    }
}

extension JSONValue {
    /// The order that a message's field names.
    fileprivate static func orderID(_ field: Data) -> JSONValue { .optional(OrderID(field)?.description) }

    fileprivate static func time(_ time: WallTime?) -> JSONValue {
        .optional(time.flatMap { Figures.time(milliseconds: UInt64(clamping: $0.milliseconds)) })
    }
}

extension WallTime {
    /// From a message's field, where 0 says "not yet".
    fileprivate init?(field milliseconds: UInt64) {
        guard milliseconds > 0 else { return nil }
        self.init(milliseconds: Int64(clamping: milliseconds))
    }
}
