import AssemblerCore
import OrderedCollections
import Wire

// No action precedes its change: what is said is compared with what is in the store by then.
extension Auditor {
    func says(_ message: KitchenMessage) {
        switch message.body {
        case .acks(let batch): for position in batch.acks.indices { acknowledged(batch.acks[position]) }
        case .leases(let batch): for position in batch.leases.indices { leased(batch.leases[position]) }
        case .welcome, .refusal, .revokes, .heartbeat, nil: break
        }
    }

    /// A result may be forgotten by its worker once its outcome is durable.
    private func acknowledged(_ ack: Ack) {
        guard let brought = results[LeaseKey(ack.lease)] else {
            return blame("\(ack.lease.text) is acknowledged, and brought nothing in this round")
        }
        switch ack.fate {
        case .stored:
            expect(
                brought.contains { isStored($0) },
                "\(ack.lease.text) is acknowledged before it is in the store")
        case .late, .unknown:
            // Under a lease that a liar had claimed for another item, nobody can say.
            guard !plan.has(.liars) else { return }
            expect(
                !brought.contains { wouldFill($0) },
                "the success of \(ack.lease.text) is dropped as \(ack.fate), and its slot is empty")
        case .invalid, .unspecified, .UNRECOGNIZED: break
        }
    }

    /// A success fills an empty slot, whatever became of its lease.
    private func wouldFill(_ result: ItemResult) -> Bool {
        guard case .done = result.ending, let order = OrderID(result.order), let record = records[order],
            record.isSealed, !record.isServed, record.items.indices.contains(Int(result.index))
        else { return false }
        return !record.isSettled(Int(result.index))
    }

    private func isStored(_ result: ItemResult) -> Bool {
        guard let order = OrderID(result.order), let record = records[order] else { return false }
        let index = Int(result.index)
        return switch result.ending {
        case .done: record.isSettled(index)
        case .failed: record.isSettled(index) || record.failures[index]?.contains(result.lease) == true
        case .returned, nil: true
        }
    }

    private func leased(_ lease: Lease) {
        guard let item = ItemRef(lease), let record = records[item.order] else {
            return blame("\(lease.lease.text) is sent, and its order is not in the store")
        }
        expect(record.isSealed, "\(item.text) is leased before its order is in the store")
        expect(!record.isSettled(item.index), "\(item.text) is leased, and was settled")
        expect(!record.isServed, "\(item.text) is leased, and its order has ended")
    }

    func says(_ message: OrdersMessage) {
        switch message.body {
        case .receipt(let receipt):
            guard let order = OrderID(receipt.order), let record = records[order], record.isSealed else {
                return blame("a receipt is sent for an order that is not in the store")
            }
            expect(
                !receipt.status.hasEnded || record.served?.status == receipt.status,
                "a receipt says that \(order) is \(receipt.status.text), and the store does not")
        case .pageTaken(let taken):
            guard let order = OrderID(taken.order) else { return blame("a page of no order is taken") }
            expect(
                Int(taken.nextIndex) <= records[order]?.items.count ?? 0,
                "page up to \(taken.nextIndex) of \(order) is taken, and is not in the store")
        case .outcomes(let batch): told(batch.summary, "outcomes")
        case .tray(let page): told(page.summary, "a tray")
        case .list(let list): for summary in list.orders { told(summary, "a list") }
        case .welcome, .refusal, .workers, .stations, .pong, nil: break
        }
    }

    // MARK: The grants of a round

    /// Looks at what was leased, now that the round's changes are in the store.
    mutating func checkGrants() {
        for (grant, station, isOutOfTurn, now) in grantedNow {
            let item = ItemRef(order: grant.order, index: grant.index)
            guard let record = records[item.order], record.items.indices.contains(item.index) else {
                blame("\(item.text) is leased, and is not in the store")
                continue
            }
            expect(
                record.items[item.index].station == grant.station,
                "\(item.text) is leased at \(grant.station)")
            let currentCount = current.count(in: item.order)
            expect(
                record.parallelMax == 0 || currentCount <= record.parallelMax,
                "\(item.order) has \(currentCount) leases; max_parallel is \(record.parallelMax)")
            expect(
                now.instant >= record.waitsUntil, "\(item.text) is leased while workers may still claim it")
            expect(
                now.wall.milliseconds >= record.notBefore,
                "\(item.text) is leased before its not_before")
            if !isOutOfTurn { checkFirstInLine(item, at: station, now: now) }
            takeTurn(item.index, of: record, at: station, isOutOfTurn: isOutOfTurn, now: now)
        }
        grantedNow.removeAll(keepingCapacity: true)
    }

    // MARK: Poison

    /// Only an item that ended its workers, or seemed to, may be set aside.
    func checkPoisoned(_ item: ItemRef, _ record: Record) {
        guard let limit = plan.configuration.workerDeathsMax else {
            return blame("\(item.text) is poisoned, and nothing may be")
        }
        let row = record.lossesInRow[item.index, default: 0]
        expect(row >= limit, "\(item.text) is poisoned after \(row) losses in a row; the limit is \(limit)")
        expect(
            record.losses[item.index]?.last?.isAlone == true,
            "\(item.text) is poisoned, and was not alone with the last worker that it lost")
        let isInnocent = Nature(record.items[item.index].payload) != .poison
        expect(!(isInnocent && plan.blamesNobody), "\(item.text) is poisoned, and is innocent")
    }

    /// How many workers an item may end until it is set aside.
    func checkDeaths(of item: ItemRef) {
        guard let limit = plan.configuration.workerDeathsMax, plan.blamesNobody else { return }
        let shared = max(1, sharedMax[item] ?? 1)
        let doublings = Int.bitWidth - (shared - 1).leadingZeroBitCount
        // Two attempts may end before their begin is known, and the first loss is free.
        let bound = max(limit, 2 + doublings) + 2
        expect(
            poisonDeaths[item, default: 0] <= bound,
            "\(item.text) has ended \(poisonDeaths[item, default: 0]) workers; \(bound) are the most")
    }
}
