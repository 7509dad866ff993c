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
        number = row[0]
        let idBytes: Data = row[1]
        guard let id = OrderID(idBytes) else {
            throw Damage(row: "tray_order number \(number)", detail: "its id has \(idBytes.count) bytes")
        }
        let specBytes: Data = row[17]
        let name = "order \(id)"
        accepted = AcceptedOrder(
            id: id, spec: try decode(specBytes, row: name), itemCount: row[4],
            fingerprint: Array(row[16] as Data),
            acceptedAt: WallTime(milliseconds: row[5]))
        guard accepted.checksum(spec: specBytes) == row[15] as Data else {
            throw Damage(row: name, detail: "its checksum does not agree")
        }
        isSealed = row[3]
        isCancelRequested = !row.hasNull(atIndex: 6)
        served = try OrderRow.served(row, name: name, id: id)
    }

    private static func served(_ row: Row, name: String, id: OrderID) throws -> ServedRecord? {
        let status = OrderStatus(rawValue: row[2]) ?? .UNRECOGNIZED(row[2])
        if status == .running { return nil }
        guard let at: Int64 = row[7], let elapsed: Int64 = row[8], let checksum: Data = row[14] else {
            throw Damage(row: name, detail: "it has ended, but not when")
        }
        var counts = TrayCounts()
        (counts.done, counts.failed, counts.cancelled) = (row[9], row[10], row[11])
        (counts.expired, counts.poisoned) = (row[12], row[13])
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
        firstIndex = row[0]
        let (itemCount, body): (Int, Data) = (row[1], row[3])
        let name = "item_page \(firstIndex) of order \(order)"
        let expected = Checksum.page(order.data, firstIndex: firstIndex, itemCount: itemCount, body: body)
        guard expected == row[2] as Data else {
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
        firstLanding = row[0]
        let (count, head): (Int, Data) = (row[1], row[3])
        let name = "outcome_batch \(firstLanding) of order \(order)"
        let expected = Checksum.outcomes(
            order.data, firstLanding: firstLanding, count: count, head, isHead: true)
        guard expected == row[2] as Data else {
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
        let (firstLanding, count, body): (Int, Int, Data) = (row[0], row[1], row[3])
        let name = "outcome_batch \(firstLanding) of order \(order)"
        let expected = Checksum.outcomes(
            order.data, firstLanding: firstLanding, count: count, body, isHead: false)
        guard expected == row[2] as Data else {
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
        let (number, errorBytes): (Int64, Data) = (row[0], row[9])
        let name = "attempt number \(number) of order \(order)"
        let record = AttemptRecord(
            attempt: row[3],
            lease: LeaseID(incarnation: row[10], number: UInt64(bitPattern: row[11] as Int64)),
            worker: row[6], instance: WorkerInstance(bytes: Array(row[7] as Data)),
            isAlone: row[4],
            error: try decode(errorBytes, row: name), at: WallTime(milliseconds: row[5]))
        attempt = RestoredOrder.Attempt(index: row[1], isLost: row[2], record: record)
        guard attempt.checksum(order, error: errorBytes) == row[8] as Data else {
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

private func decode<Body: Message>(_ bytes: Data, row: String) throws -> Body {
    do {
        return try Body(serializedBytes: bytes)
    } catch {
        throw Damage(row: row, detail: "it cannot be decoded")
    }
}
