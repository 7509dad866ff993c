import AssemblerCore
import OrderedCollections
import Wire

// What the store is given: each change must be one that may follow.
extension Auditor {
    func committed(_ changes: [Change], now: Moment) {
        for change in changes { committed(change, now: now) }
    }

    private func committed(_ change: Change, now: Moment) {
        switch change {
        case .accepted(let order):
            expect(records[order.id] == nil, "order \(order.id) is accepted twice")
            records[order.id] = Record(order)
            openCount += 1
        case .page(let order, let firstIndex, let items):
            guard isOpen(order, "a page") else { return }
            expect(
                records[order]?.items.count == firstIndex && records[order]?.isSealed == false,
                "page \(firstIndex) of \(order) does not follow what is there")
            records[order]?.items += items
        case .sealed(let order):
            guard isOpen(order, "a seal"), let record = records[order] else { return }
            expect(
                record.items.count == record.accepted.itemCount,
                "\(order) is sealed with \(record.items.count) of \(record.accepted.itemCount) items")
            records[order]?.isSealed = true
            records[order]?.settled = Array(repeating: nil, count: record.items.count)
            records[order]?.turns = Turns(record.items, cameAt: turnClock)
            runningOrderCount += 1
            nextDeadline = min(nextDeadline, deadline(of: record) ?? .max)
        case .abandoned(let order):
            expect(
                records[order]?.isSealed == false && !receipts.contains(order),
                "\(order) is deleted, though it was accepted")
            records[order] = nil
            openCount -= 1
        case .attemptFailed(let order, let index, let record): failed(order, index, record)
        case .attemptLost(let order, let index, let record): lost(order, index, record)
        case .lossTakenBack(let order, let index, let lease, let instance):
            tookBack(order, index, lease, instance)
        case .settled(let order, let outcomes):
            guard isOpen(order, "outcomes") else { return }
            for outcome in outcomes { settled(order, outcome, now: now) }
            countOutcomes(outcomes.count)
        case .cancelRequested(let order, _):
            guard isOpen(order, "a cancel") else { return }
            records[order]?.isCancelRequested = true
        case .served(let order, let record): served(order, record, now: now)
        case .elapsed(let order, let elapsed):
            expect(records[order]?.isServed == true, "\(order) has an elapsed time before its end")
            expect(elapsed >= .zero, "\(order) took \(elapsed)")
        }
    }

    private func isOpen(_ order: OrderID, _ what: String) -> Bool {
        guard let record = records[order] else {
            blame("\(what) of \(order), which was never accepted")
            return false
        }
        expect(!record.isServed, "\(what) of \(order) after its end: an ended tray changed")
        return true
    }

    // MARK: Attempts

    private func failed(_ order: OrderID, _ index: Int, _ attempt: AttemptRecord) {
        guard isOpen(order, "a failure"), let record = records[order] else { return }
        let item = ItemRef(order: order, index: index)
        expect(!record.isSettled(index), "\(item.text) fails after it was settled")
        var failures = record.failures[index] ?? []
        expect(!failures.contains(attempt.lease), "\(item.text) fails twice under \(attempt.lease.text)")
        failures.append(attempt.lease)
        let limit = attemptsMax(record.items[index])
        expect(
            failures.count <= limit, "\(item.text) has failed \(failures.count) times; the limit is \(limit)")
        records[order]?.failures[index] = failures
        records[order]?.failedBy[index, default: []].insert(attempt.instance)
        returned.remove(item)
        records[order]?.lossesInRow[index] = 0
        suspects.remove(item)
        records[order]?.turns.tried(index, record.items)
    }

    func attemptsMax(_ item: Item) -> Int {
        item.hasAttemptsMax ? Int(item.attemptsMax) : plan.configuration.attemptsMax
    }

    private func lost(_ order: OrderID, _ index: Int, _ attempt: AttemptRecord) {
        guard isOpen(order, "a loss"), let record = records[order] else { return }
        let item = ItemRef(order: order, index: index)
        expect(!record.isSettled(index), "\(item.text) is lost after it was settled")
        expect(
            !(record.losses[index] ?? []).contains { $0.lease == attempt.lease },
            "\(item.text) is lost twice under \(attempt.lease.text)")
        if let (held, isAlone) = lostNow[attempt.lease] {
            expect(held.item == item, "\(attempt.lease.text) is lost as another item's")
            expect(
                attempt.isAlone == isAlone,
                "\(item.text) was \(isAlone ? "" : "not ")its worker's only lease, and is told otherwise")
        } else {
            blame("\(item.text) is lost under \(attempt.lease.text), which no lost worker held")
        }
        records[order]?.losses[index, default: []].append(attempt)
        records[order]?.lossesInRow[index, default: 0] += 1
        if record.lossesInRow[index, default: 0] > 1 { suspects.insert(item) }
        records[order]?.turns.tried(index, record.items)
    }

    private func tookBack(
        _ order: OrderID, _ index: Int, _ lease: LeaseID, _ instance: WorkerInstance
    ) {
        guard isOpen(order, "a loss taken back"), let record = records[order] else { return }
        let before = record.losses[index] ?? []
        guard let position = before.firstIndex(where: { $0.lease == lease && $0.instance == instance }) else {
            return blame("\(order)[\(index)] takes a loss back that it did not have")
        }
        let laterCount = before.count - 1 - position
        if laterCount < record.lossesInRow[index, default: 0] {
            records[order]?.lossesInRow[index, default: 0] -= 1
        }
        if record.lossesInRow[index, default: 0] < 2 {
            suspects.remove(ItemRef(order: order, index: index))
        }
        records[order]?.losses[index]?.remove(at: position)
    }

    // MARK: Outcomes

    private func settled(_ order: OrderID, _ outcome: Outcome, now: Moment) {
        let index = Int(outcome.index)
        let item = ItemRef(order: order, index: index)
        guard let record = records[order], record.isSealed, record.items.indices.contains(index) else {
            return blame("\(item.text) is settled, and is not there")
        }
        expect(!record.isSettled(index), "\(item.text) is settled twice: a settled slot changed")
        expect(
            Int(outcome.landing) == record.outcomes.count + 1,
            "\(item.text) lands as \(outcome.landing) after \(record.outcomes.count)")
        records[order]?.settled[index] = outcome.status
        suspects.remove(item)
        records[order]?.outcomes.append(outcome)
        records[order]?.counts.add(outcome.status)
        records[order]?.turns.tried(index, record.items)
        switch outcome.status {
        case .done: checkDone(outcome, item)
        case .failed:
            let count = record.failures[index]?.count ?? 0
            expect(
                count >= attemptsMax(record.items[index]) || permanentFailures.contains(item)
                    || lies.contains(item),
                "\(item.text) is given up after \(count) failures")
            expect(count > 0, "\(item.text) is failed without a failure")
        case .poisoned: checkPoisoned(item, record)
        case .cancelled, .expired: break
        case .waiting, .leased, .UNRECOGNIZED: blame("\(item.text) is settled as \(outcome.status.text)")
        }
    }

    private func checkDone(_ outcome: Outcome, _ item: ItemRef) {
        let isTrue = outcome.result == Nature.result(item.order, item.index) && successes.contains(item)
        let isLie = outcome.result == Nature.lie && lies.contains(item)
        expect(
            isTrue || isLie,
            successes.contains(item)
                ? "\(item.text) has the result of another item"
                : "\(item.text) is done, and no handler did it")
    }

    private func served(_ order: OrderID, _ served: ServedRecord, now: Moment) {
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
        records[order]?.isServed = true
        records[order]?.served = served
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
