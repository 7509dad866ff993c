import AssemblerCore
import OrderedCollections
import Wire

// What the store is given: each change must be one that may follow.
extension Auditor {
    mutating func committed(_ changes: [Change], now: Moment) {
        for change in changes { committed(change, now: now) }
    }

    private mutating func committed(_ change: Change, now: Moment) {
        switch change {
        case .accepted(let order):
            expect(records[order.id] == nil, "order \(order.id) is accepted twice")
            let record = Record(order)
            records[order.id] = record
            unserved.append(record)
            openCount += 1
        case .page(let order, let firstIndex, let items):
            guard let record = open(order, "a page") else { return }
            expect(
                record.items.count == firstIndex && !record.isSealed,
                "page \(firstIndex) of \(order) does not follow what is there")
            record.items += items
        case .reopened(let order):
            guard let record = open(order.id, "a head") else { return }
            var expected = record.accepted
            expected.acceptedAt = order.acceptedAt
            expect(
                order == expected && !record.isSealed && order.acceptedAt >= record.accepted.acceptedAt,
                "\(order.id) is opened again as another, or at an earlier time")
            record.accepted = order
        case .sealed(let order):
            guard let record = open(order, "a seal") else { return }
            expect(
                record.items.count == record.accepted.itemCount,
                "\(order) is sealed with \(record.items.count) of \(record.accepted.itemCount) items")
            record.isSealed = true
            record.settled = Array(repeating: nil, count: record.items.count)
            record.turns = Turns(stations: stations.numbers(of: record.items), cameAt: turnClock)
            runningOrderCount += 1
            nextDeadline = min(nextDeadline, deadline(of: record) ?? .max)
        case .abandoned(let order):
            let record = records.removeValue(forKey: order)
            expect(
                record?.isSealed == false && !receipts.contains(order),
                "\(order) is deleted, though it was accepted")
            unserved.removeAll { $0 === record }
            openCount -= 1
        case .attemptFailed(let order, let index, let record): failed(order, index, record)
        case .attemptLost(let order, let index, let record): lost(order, index, record)
        case .lossTakenBack(let order, let index, let lease, let instance):
            tookBack(order, index, lease, instance)
        case .settled(let order, let outcomes):
            guard let record = open(order, "outcomes") else { return }
            // Read where they stand: to walk over them would copy each.
            for position in outcomes.indices { settled(record, outcomes, at: position) }
            countOutcomes(outcomes.count)
        case .cancelRequested(let order, _): open(order, "a cancel")?.isCancelRequested = true
        case .served(let order, let record): served(order, record, now: now)
        case .elapsed(let order, let elapsed):
            expect(records[order]?.isServed == true, "\(order) has an elapsed time before its end")
            expect(elapsed >= .zero, "\(order) took \(elapsed)")
        }
    }

    /// The record of an order that may change.
    private func open(_ order: OrderID, _ what: @autoclosure () -> String) -> Record? {
        guard let record = records[order] else {
            blame("\(what()) of \(order), which was never accepted")
            return nil
        }
        expect(!record.isServed, "\(what()) of \(order) after its end: an ended tray changed")
        return record
    }

    // MARK: Attempts

    private mutating func failed(_ order: OrderID, _ index: Int, _ attempt: AttemptRecord) {
        guard let record = open(order, "a failure") else { return }
        let item = ItemRef(order: order, index: index)
        expect(!record.isSettled(index), "\(item.text) fails after it was settled")
        var failures = record.failures[index] ?? []
        expect(!failures.contains(attempt.lease), "\(item.text) fails twice under \(attempt.lease.text)")
        failures.append(attempt.lease)
        let limit = attemptsMax(record.items[index])
        expect(
            failures.count <= limit, "\(item.text) has failed \(failures.count) times; the limit is \(limit)")
        record.failures[index] = failures
        record.failedBy[index, default: []].insert(attempt.instance)
        returned.remove(item)
        record.lossesInRow[index] = 0
        suspects.remove(item)
        record.turns.tried(index)
    }

    func attemptsMax(_ item: Item) -> Int {
        item.hasAttemptsMax ? Int(item.attemptsMax) : plan.configuration.attemptsMax
    }

    private mutating func lost(_ order: OrderID, _ index: Int, _ attempt: AttemptRecord) {
        guard let record = open(order, "a loss") else { return }
        let item = ItemRef(order: order, index: index)
        expect(!record.isSettled(index), "\(item.text) is lost after it was settled")
        expect(
            !(record.losses[index] ?? []).contains { $0.lease == attempt.lease },
            "\(item.text) is lost twice under \(attempt.lease.text)")
        if let (held, isAlone) = lostNow[LeaseKey(attempt.lease)] {
            expect(held.item == item, "\(attempt.lease.text) is lost as another item's")
            expect(
                attempt.isAlone == isAlone,
                "\(item.text) was \(isAlone ? "" : "not ")its worker's only lease, and is told otherwise")
        } else {
            blame("\(item.text) is lost under \(attempt.lease.text), which no lost worker held")
        }
        record.losses[index, default: []].append(attempt)
        record.lossesInRow[index, default: 0] += 1
        if record.lossesInRow[index, default: 0] > 1 { suspects.insert(item) }
        record.turns.tried(index)
    }

    private mutating func tookBack(
        _ order: OrderID, _ index: Int, _ lease: LeaseID, _ instance: WorkerInstance
    ) {
        guard let record = open(order, "a loss taken back") else { return }
        let before = record.losses[index] ?? []
        guard let position = before.firstIndex(where: { $0.lease == lease && $0.instance == instance }) else {
            return blame("\(order)[\(index)] takes a loss back that it did not have")
        }
        let laterCount = before.count - 1 - position
        if laterCount < record.lossesInRow[index, default: 0] {
            record.lossesInRow[index, default: 0] -= 1
        }
        if record.lossesInRow[index, default: 0] < 2 {
            suspects.remove(ItemRef(order: order, index: index))
        }
        record.losses[index]?.remove(at: position)
    }

    // MARK: Outcomes

    private mutating func settled(_ record: Record, _ outcomes: [Outcome], at position: Int) {
        let index = Int(outcomes[position].index)
        let status = outcomes[position].status
        let item = ItemRef(order: record.id, index: index)
        guard record.isSealed, record.items.indices.contains(index) else {
            return blame("\(item.text) is settled, and is not there")
        }
        expect(!record.isSettled(index), "\(item.text) is settled twice: a settled slot changed")
        expect(
            Int(outcomes[position].landing) == record.outcomes.count + 1,
            "\(item.text) lands as \(outcomes[position].landing) after \(record.outcomes.count)")
        record.settled[index] = status
        suspects.remove(item)
        record.outcomes.append(outcomes[position])
        record.counts.add(status)
        record.turns.tried(index)
        switch status {
        case .done: checkDone(outcomes[position].result, item)
        case .failed:
            let count = record.failures[index]?.count ?? 0
            expect(
                count >= attemptsMax(record.items[index]) || permanentFailures.contains(item)
                    || lies.contains(item),
                "\(item.text) is given up after \(count) failures")
            expect(count > 0, "\(item.text) is failed without a failure")
        case .poisoned: checkPoisoned(item, record)
        case .cancelled, .expired: break
        case .waiting, .leased, .UNRECOGNIZED: blame("\(item.text) is settled as \(status.text)")
        }
    }

    private func checkDone(_ result: Content, _ item: ItemRef) {
        if Nature.isResult(result, of: item), successes.contains(item) { return }
        expect(
            result == Nature.lie && lies.contains(item),
            successes.contains(item)
                ? "\(item.text) has the result of another item"
                : "\(item.text) is done, and no handler did it")
    }

    private mutating func served(_ order: OrderID, _ served: ServedRecord, now: Moment) {
        guard let record = records[order] else { return blame("\(order) is served, and was never accepted") }
        expect(!record.isServed, "\(order) is served twice")
        expect(record.isSealed, "\(order) is served before it is sealed")
        expect(
            record.outcomes.count == record.accepted.itemCount,
            "\(order) is served with \(record.outcomes.count) of \(record.accepted.itemCount) outcomes")
        expect(served.counts == record.counts, "\(order) is served with other counts than its outcomes have")
        let expected = expectedEnds(of: record, now: now)
        expect(
            expected.contains(served.status),
            "\(order) ends as \(served.status.text); its outcomes say "
                + expected.map(\.text).joined(separator: " or "))
        record.isServed = true
        record.served = served
        unserved.removeAll { $0 === record }
        runningOrderCount -= 1
        openCount -= 1
    }

    /// What the outcomes and the policy allow.
    private func expectedEnds(of record: Record, now: Moment) -> [OrderStatus] {
        let (spec, counts, total) = (record.accepted.spec, record.counts, record.accepted.itemCount)
        if counts.expired > 0 {
            // A deadline is judged to the millisecond.
            let isDue = deadline(of: record).map { now.wall.milliseconds >= $0 - 1 } ?? false
            return isDue ? [.expired] : []
        }
        var ends: [OrderStatus] = []
        if record.isCancelRequested { ends.append(.cancelled) }
        let enough = Int(spec.enough)
        if enough > 0, counts.done >= enough { return ends + [.complete] }
        if counts.done == total, enough == 0 { return ends + [.complete] }
        let bad = counts.failed + counts.poisoned
        let isBroken =
            switch spec.failure {
            case .failFast: bad > 0
            case .tolerateCount: bad > Int(spec.tolerated)
            case .tolerateShare: bad * 10_000 > Int(spec.tolerated) * total
            case .isolate, .UNRECOGNIZED: false
            }
        if isBroken || enough > 0 { ends.append(.failed) }
        if enough == 0, !isBroken, counts.cancelled == 0 { ends.append(.partial) }
        return ends
    }
}
