import AssemblerCore
import Foundation
import GRDB
import SwiftProtobuf
import Wire

/// A row of `tray_order`, its checksums compared.
struct OrderRow {
    static let columns = """
        number, id, status, is_sealed, item_count, accepted_at_ms, cancel_requested_at_ms, served_at_ms, \
        elapsed_us, done_count, failed_count, cancelled_count, expired_count, poisoned_count, \
        served_checksum, checksum, fingerprint, spec
        """

    let number: Int64
    let accepted: AcceptedOrder
    let isSealed: Bool
    let isCancelRequested: Bool
    /// Absent while the order runs.
    let served: ServedRecord?

    init(_ row: Row) throws {
        number = try row.value(0, of: "tray_order")
        let numbered = "tray_order number \(number)"
        let idBytes: Data = try row.value(1, of: numbered)
        guard let id = OrderID(idBytes) else {
            throw Damage(row: numbered, detail: "its id has \(idBytes.count) bytes")
        }
        let name = "order \(id)"
        let specBytes: Data = try row.value(17, of: name)
        accepted = AcceptedOrder(
            id: id, spec: try decode(specBytes, row: name), itemCount: try row.value(4, of: name),
            fingerprint: Array(try row.value(16, of: name) as Data),
            acceptedAt: WallTime(milliseconds: try row.value(5, of: name)))
        guard try accepted.checksum(spec: specBytes) == row.value(15, of: name) as Data else {
            throw Damage(row: name, detail: "its checksum does not agree")
        }
        guard (0...Limits.orderItemCountMax).contains(accepted.itemCount) else {
            throw Damage(row: name, detail: "it cannot have \(accepted.itemCount) items")
        }
        isSealed = try row.value(3, of: name)
        isCancelRequested = try row.value(6, of: name) as Int64? != nil
        served = try OrderRow.served(row, name: name, id: id)
    }

    private static func served(_ row: Row, name: String, id: OrderID) throws -> ServedRecord? {
        let number: Int = try row.value(2, of: name)
        let status = OrderStatus(rawValue: number) ?? .UNRECOGNIZED(number)
        let checksum: Data? = try row.value(14, of: name)
        if status == .running {
            guard checksum == nil else { throw Damage(row: name, detail: "it runs, but has ended before") }
            return nil
        }
        guard
            let at: Int64 = try row.value(7, of: name), let elapsed: Int64 = try row.value(8, of: name),
            let checksum
        else { throw Damage(row: name, detail: "it has ended, but not when") }
        let slotCounts: [Int] = try (9...13).map { try row.value($0, of: name) }
        guard slotCounts.allSatisfy((0...Limits.orderItemCountMax).contains) else {
            throw Damage(row: name, detail: "it cannot have ended with \(slotCounts) slots")
        }
        var counts = TrayCounts()
        (counts.done, counts.failed, counts.cancelled) = (slotCounts[0], slotCounts[1], slotCounts[2])
        (counts.expired, counts.poisoned) = (slotCounts[3], slotCounts[4])
        let record = ServedRecord(
            status: status, at: WallTime(milliseconds: at), elapsed: .microseconds(elapsed), counts: counts)
        guard record.checksum(id) == checksum else {
            throw Damage(row: name, detail: "the checksum of its end does not agree")
        }
        return record
    }
}

extension AcceptedOrder {
    func checksum(spec: Data) -> Data {
        var checksum = Checksum("tray_order", id.data)
        checksum.add(itemCount)
        checksum.add(Int(acceptedAt.milliseconds))
        checksum.add(Data(fingerprint))
        checksum.add(spec)
        return checksum.bytes
    }
}

extension ServedRecord {
    /// Leaves `elapsed` out, which is corrected after the commit that served.
    func checksum(_ id: OrderID) -> Data {
        var checksum = Checksum("tray_order.served", id.data)
        for number in [
            status.rawValue, Int(at.milliseconds), counts.done, counts.failed, counts.cancelled,
            counts.expired,
            counts.poisoned,
        ] { checksum.add(number) }
        return checksum.bytes
    }
}

/// A row of `item_page`.
struct PageRow {
    static let columns = "first_index, item_count, checksum, body"

    let firstIndex: Int
    let items: [Item]

    init(_ row: Row, of order: OrderID) throws {
        firstIndex = try row.value(0, of: "item_page of order \(order)")
        let name = "item_page \(firstIndex) of order \(order)"
        let (itemCount, body): (Int, Data) = (try row.value(1, of: name), try row.value(3, of: name))
        let expected = Checksum.page(order.data, firstIndex: firstIndex, itemCount: itemCount, body: body)
        guard try expected == row.value(2, of: name) as Data else {
            throw Damage(row: name, detail: "its checksum does not agree")
        }
        let page: Page = try decode(body, row: name)
        guard page.items.count == itemCount else {
            throw Damage(row: name, detail: "it has \(page.items.count) items, not \(itemCount)")
        }
        items = page.items
    }
}

/// A row of `outcome_batch`: which slots landed.
struct OutcomeHeadRow {
    static let columns = "first_landing, outcome_count, head_checksum, head"

    let firstLanding: Int
    let slots: [RestoredOrder.Settled]

    init(_ row: Row, of order: OrderID) throws {
        firstLanding = try row.value(0, of: "outcome_batch of order \(order)")
        let name = "outcome_batch \(firstLanding) of order \(order)"
        let (count, head): (Int, Data) = (try row.value(1, of: name), try row.value(3, of: name))
        let expected = Checksum.outcomes(
            order.data, firstLanding: firstLanding, count: count, head, isHead: true)
        guard try expected == row.value(2, of: name) as Data else {
            throw Damage(row: name, detail: "the checksum of its slots does not agree")
        }
        guard let slots = SettledSlots.unpack(head), slots.count == count else {
            throw Damage(row: name, detail: "its slots cannot be decoded")
        }
        self.slots = slots
    }
}

/// A row of `outcome_batch`: the outcomes themselves.
struct OutcomeBodyRow {
    static let columns = "first_landing, outcome_count, body_checksum, body"

    let outcomes: [Outcome]

    init(_ row: Row, of order: OrderID) throws {
        let firstLanding: Int = try row.value(0, of: "outcome_batch of order \(order)")
        let name = "outcome_batch \(firstLanding) of order \(order)"
        let (count, body): (Int, Data) = (try row.value(1, of: name), try row.value(3, of: name))
        let expected = Checksum.outcomes(
            order.data, firstLanding: firstLanding, count: count, body, isHead: false)
        guard try expected == row.value(2, of: name) as Data else {
            throw Damage(row: name, detail: "its checksum does not agree")
        }
        let batch: OutcomeBatch = try decode(body, row: name)
        guard batch.outcomes.count == count else {
            throw Damage(row: name, detail: "it has \(batch.outcomes.count) outcomes, not \(count)")
        }
        outcomes = batch.outcomes
    }
}

/// A row of `attempt`.
struct AttemptRow {
    static let columns = """
        number, item_index, is_lost, attempt, is_alone, at_ms, worker, instance, checksum, error, \
        lease_incarnation, lease_number
        """

    let attempt: RestoredOrder.Attempt

    init(_ row: Row, of order: OrderID) throws {
        let number: Int64 = try row.value(0, of: "attempt of order \(order)")
        let name = "attempt number \(number) of order \(order)"
        let errorBytes: Data = try row.value(9, of: name)
        let lease = LeaseID(
            incarnation: try row.value(10, of: name),
            number: UInt64(bitPattern: try row.value(11, of: name) as Int64))
        let record = AttemptRecord(
            attempt: try row.value(3, of: name), lease: lease, worker: try row.value(6, of: name),
            instance: WorkerInstance(bytes: Array(try row.value(7, of: name) as Data)),
            isAlone: try row.value(4, of: name), error: try decode(errorBytes, row: name),
            at: WallTime(milliseconds: try row.value(5, of: name)))
        attempt = RestoredOrder.Attempt(
            index: try row.value(1, of: name), isLost: try row.value(2, of: name), record: record)
        guard try attempt.checksum(order, error: errorBytes) == row.value(8, of: name) as Data else {
            throw Damage(row: name, detail: "its checksum does not agree")
        }
    }
}

extension RestoredOrder.Attempt {
    func checksum(_ order: OrderID, error: Data) -> Data {
        var checksum = Checksum("attempt", order.data)
        for number in [
            index, isLost ? 1 : 0, record.attempt, Int(record.lease.incarnation),
            Int(Int64(bitPattern: record.lease.number)), record.isAlone ? 1 : 0, Int(record.at.milliseconds),
        ] { checksum.add(number) }
        checksum.add(Data(record.worker.utf8))
        checksum.add(Data(record.instance.bytes))
        checksum.add(error)
        return checksum.bytes
    }
}

extension Row {
    /// The value of a column. Files that were damaged have nothing where there has to be something, and numbers
    /// that are out of range.
    ///
    /// - Parameter name: of the row, for people.
    fileprivate func value<Value: DatabaseValueConvertible & StatementColumnConvertible>(
        _ index: Int, of name: String
    ) throws -> Value {
        do {
            return try decode(Value.self, atIndex: index)
        } catch {
            let column = columnNames[columnNames.index(columnNames.startIndex, offsetBy: index)]
            throw Damage(row: name, detail: "its \(column) cannot be that")
        }
    }
}

private func decode<Body: Message>(_ bytes: Data, row: String) throws -> Body {
    do {
        return try Body(serializedBytes: bytes)
    } catch {
        throw Damage(row: row, detail: "it cannot be decoded")
    }
}
