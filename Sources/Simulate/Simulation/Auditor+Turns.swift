import OrderedCollections
import Wire

/// How long an order has waited for its turn at each station.
struct Turns {
    struct Wait {
        /// Items that nobody has tried, by the auditor's book.
        var untriedCount = 0
        /// First attempts of others since it has waited.
        var passedOverCount = 0
        /// Other leases since then, which may have taken a turn.
        var otherCount = 0
        /// Orders that waited there when its wait began, itself among them.
        var rivalCount: Int?
    }

    private(set) var waits: OrderedDictionary<String, Wait> = [:]
    private var tried: [Bool] = []

    init() {}

    init(_ items: [Item]) {
        tried = Array(repeating: false, count: items.count)
        for item in items { waits[item.station, default: Wait()].untriedCount += 1 }
    }

    /// - Returns: whether this was the item's first attempt.
    @discardableResult
    mutating func tried(_ index: Int, _ items: [Item]) -> Bool {
        guard tried.indices.contains(index), !tried[index] else { return false }
        tried[index] = true
        waits[items[index].station]?.untriedCount -= 1
        return true
    }

    mutating func settled(_ index: Int, _ items: [Item]) { tried(index, items) }

    mutating func rest(at station: String) {
        waits[station]?.passedOverCount = 0
        waits[station]?.otherCount = 0
        waits[station]?.rivalCount = nil
    }

    mutating func begin(at station: String, rivalCount: Int) { waits[station]?.rivalCount = rivalCount }

    mutating func pass(at station: String, isFirstAttempt: Bool) -> Wait? {
        if isFirstAttempt {
            waits[station]?.passedOverCount += 1
        } else {
            waits[station]?.otherCount += 1
        }
        return waits[station]
    }
}

// Orders take turns: every tenth lease of a station goes to the order that has waited longest.
extension Auditor {
    static let leasesPerLongestWait = 10

    func takeTurn(_ item: ItemRef, at station: String, now: Moment) {
        guard let items = records[item.order]?.items else { return }
        let isFirst = records[item.order]?.turns.tried(item.index, items) ?? false
        records[item.order]?.turns.rest(at: station)
        for position in records.values.indices where records.keys[position] != item.order {
            guard mayTakeTurns(records.values[position], at: station, now: now) else {
                records.values[position].turns.rest(at: station)
                continue
            }
            if records.values[position].turns.waits[station]?.rivalCount == nil {
                let rivalCount = records.values.count { mayTakeTurns($0, at: station, now: now) }
                records.values[position].turns.begin(at: station, rivalCount: rivalCount)
            }
            guard let wait = records.values[position].turns.pass(at: station, isFirstAttempt: isFirst) else {
                continue
            }
            let bound = Auditor.leasesPerLongestWait * ((wait.rivalCount ?? 0) + 2 + wait.otherCount)
            expect(
                wait.passedOverCount <= bound,
                "\(records.keys[position]) waits at \(station) while others get \(wait.passedOverCount) leases; "
                    + "\(bound) are the most")
        }
    }

    /// What may be leased is leased with the round that makes it so, where a worker has room.
    func checkNobodyIdles(now: Moment) {
        guard !isSomebodyApart else { return }
        // Timers count whole milliseconds.
        let before = Moment(
            instant: now.instant.advanced(by: .milliseconds(-2)),
            wall: WallTime(milliseconds: now.wall.milliseconds - 2))
        for session in sessions.values where !session.isDraining {
            for (station, capacity) in session.capacities where session.counts[station, default: 0] < capacity
            {
                if let order = records.values.first(where: { mayTakeTurns($0, at: station, now: before) }) {
                    blame("\(order.accepted.id) waits at \(station), and a worker has places free there")
                }
                if let item = returned.first(where: { mayGoFirst($0, at: station, now: before) }) {
                    blame("\(item.text) came back, and a worker has places free at \(station)")
                }
            }
        }
    }

    private func mayTakeTurns(_ record: Record, at station: String, now: Moment) -> Bool {
        record.turns.waits[station].map { $0.untriedCount > 0 } ?? false && mayLease(record, now: now)
    }

    private func mayGoFirst(_ item: ItemRef, at station: String, now: Moment) -> Bool {
        guard let record = records[item.order], record.items[item.index].station == station,
            record.failures[item.index] == nil
        else { return false }
        return mayLease(record, now: now)
    }

    private func mayLease(_ record: Record, now: Moment) -> Bool {
        guard record.isSealed, !record.isServed, now.instant >= record.waitsUntil,
            now.wall.milliseconds >= record.notBefore
        else { return false }
        let parallelMax = Int(record.accepted.spec.maxParallel)
        return parallelMax == 0 || currentCounts[record.accepted.id, default: 0] < parallelMax
    }
}
