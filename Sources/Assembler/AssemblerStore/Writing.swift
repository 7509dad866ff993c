import AssemblerCore
import Foundation
import GRDB
import SwiftProtobuf
import Wire

extension Change {
    /// Pages that it adds to the write-ahead log, roughly: those of the tables and indexes it touches, and
    /// its blobs.
    var pageCount: Int {
        let touchedPageCount = 4
        switch self {
        case .accepted, .reopened, .sealed, .abandoned, .attemptFailed, .attemptLost, .lossTakenBack,
            .cancelRequested, .served, .elapsed:
            return touchedPageCount
        case .page(_, _, let items):
            return touchedPageCount + items.reduce(0) { $0 + $1.payload.data.count + 64 } / 4_096
        case .settled(_, let outcomes):
            return touchedPageCount + outcomes.reduce(0) { $0 + $1.result.data.count + 64 } / 4_096
        }
    }
}

extension Database {
    /// Writes one change, inside the transaction of its round.
    func apply(_ change: Change) throws {
        switch change {
        case .accepted(let order): try insert(order)
        case .reopened(let order):
            try update(
                order.id,
                "UPDATE tray_order SET accepted_at_ms = ?, checksum = ? WHERE id = ? AND is_sealed = 0",
                [order.acceptedAt.milliseconds, order.checksum(spec: encode(order.spec)), order.id.data])
        case .page(let order, let firstIndex, let items): try insertPage(order, firstIndex, items)
        case .sealed(let order):
            try update(order, "UPDATE tray_order SET is_sealed = 1 WHERE id = ?", [order.data])
        case .abandoned(let order):
            try update(
                order, "UPDATE tray_order SET id = NULL, key = NULL WHERE id = ? AND is_sealed = 0",
                [order.data])
        case .attemptFailed(let order, let index, let record):
            try insert(RestoredOrder.Attempt(index: index, isLost: false, record: record), order)
        case .attemptLost(let order, let index, let record):
            try insert(RestoredOrder.Attempt(index: index, isLost: true, record: record), order)
        case .lossTakenBack(let order, let index, let lease, let instance):
            try update(
                order,
                """
                DELETE FROM attempt
                WHERE order_number = (SELECT number FROM tray_order WHERE id = ?) AND is_lost
                    AND item_index = ? AND lease_incarnation = ? AND lease_number = ? AND instance = ?
                """,
                [
                    order.data, index, Int64(lease.incarnation), Int64(bitPattern: lease.number),
                    Data(instance.bytes),
                ])
        case .settled(let order, let outcomes): try insert(outcomes, order)
        case .cancelRequested(let order, let at):
            try update(
                order, "UPDATE tray_order SET cancel_requested_at_ms = ? WHERE id = ?",
                [at.milliseconds, order.data])
        case .served(let order, let record): try serve(order, record)
        case .elapsed(let order, let elapsed):
            // Retention may have deleted the order meanwhile: then there is nothing to correct.
            try cachedStatement(sql: "UPDATE tray_order SET elapsed_us = ? WHERE id = ?")
                .execute(arguments: [elapsed.microseconds, order.data])
        }
    }

    private func insert(_ order: AcceptedOrder) throws {
        let spec = encode(order.spec)
        try update(
            order.id,
            """
            INSERT INTO tray_order (id, key, item_count, accepted_at_ms, checksum, fingerprint, spec)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                order.id.data, order.spec.key.isEmpty ? nil : order.spec.key, order.itemCount,
                order.acceptedAt.milliseconds, order.checksum(spec: spec), Data(order.fingerprint), spec,
            ])
    }

    private func insertPage(_ order: OrderID, _ firstIndex: Int, _ items: [Item]) throws {
        let body = encode(
            Page.with {
                $0.order = order.data
                $0.firstIndex = UInt32(firstIndex)
                $0.items = items
            })
        let checksum = Checksum.page(order.data, firstIndex: firstIndex, itemCount: items.count, body: body)
        try update(
            order,
            """
            INSERT INTO item_page (order_number, first_index, item_count, checksum, body)
            SELECT number, ?, ?, ?, ? FROM tray_order WHERE id = ?
            """,
            [firstIndex, items.count, checksum, body, order.data])
    }

    private func insert(_ outcomes: [Outcome], _ order: OrderID) throws {
        guard let first = outcomes.first else { return }
        let (firstLanding, count) = (Int(first.landing), outcomes.count)
        let head = SettledSlots.pack(outcomes)
        let body = encode(OutcomeBatch.with { $0.outcomes = outcomes })
        try update(
            order,
            """
            INSERT INTO outcome_batch
                (order_number, first_landing, outcome_count, head_checksum, body_checksum, head, body)
            SELECT number, ?, ?, ?, ?, ?, ? FROM tray_order WHERE id = ?
            """,
            [
                firstLanding, count,
                Checksum.outcomes(order.data, firstLanding: firstLanding, count: count, head, isHead: true),
                Checksum.outcomes(order.data, firstLanding: firstLanding, count: count, body, isHead: false),
                head, body, order.data,
            ])
    }

    private func insert(_ attempt: RestoredOrder.Attempt, _ order: OrderID) throws {
        let record = attempt.record
        let error = encode(record.error)
        try update(
            order,
            """
            INSERT INTO attempt
                (order_number, item_index, is_lost, attempt, lease_incarnation, lease_number, is_alone, at_ms,
                worker, instance, checksum, error)
            SELECT number, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM tray_order WHERE id = ?
            """,
            [
                attempt.index, attempt.isLost, record.attempt, Int64(record.lease.incarnation),
                Int64(bitPattern: record.lease.number), record.isAlone, record.at.milliseconds,
                record.worker, Data(record.instance.bytes), attempt.checksum(order, error: error), error,
                order.data,
            ])
    }

    private func serve(_ order: OrderID, _ record: ServedRecord) throws {
        let counts = record.counts
        try update(
            order,
            """
            UPDATE tray_order SET status = ?, served_at_ms = ?, elapsed_us = ?, done_count = ?,
                failed_count = ?, cancelled_count = ?, expired_count = ?, poisoned_count = ?,
                served_checksum = ?
            WHERE id = ?
            """,
            [
                record.status.rawValue, record.at.milliseconds, record.elapsed.microseconds, counts.done,
                counts.failed, counts.cancelled, counts.expired, counts.poisoned, record.checksum(order),
                order.data,
            ])
    }

    /// Runs a statement that has to change a row of `order`, or add one to it.
    private func update(_ order: OrderID, _ sql: String, _ arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
        guard changesCount > 0 else {
            throw Damage(row: "order \(order)", detail: "it is not there, or not as the change needs it")
        }
    }
}

private func encode(_ message: some Message) -> Data {
    do {
        return try message.serializedBytes()
    } catch {
        preconditionFailure("a message of our own does not encode: \(error)")
    }
}
