import OrderedCollections
import Wire

/// Since when an order has waited for its turn at each station.
struct Turns {
    struct Wait {
        /// Items that nobody has tried, by the auditor's book.
        var untriedCount = 0
        /// It has waited without a break since then, at the least; `nil` when that is not certain.
        var since: Int?
        /// When an item of it had a turn last.
        var lastTurn: Int?
        /// Leases in a row that went to orders which have waited less.
        var passedOverCount = 0
    }

    private(set) var waits: OrderedDictionary<String, Wait> = [:]
    /// When the order came; no later, where that is not known.
    private let cameAt: Int
    private var tried: [Bool] = []

    init() { cameAt = 0 }

    init(_ items: [Item], cameAt: Int = 0) {
        self.cameAt = cameAt
        tried = Array(repeating: false, count: items.count)
        for item in items { waits[item.station, default: Wait()].untriedCount += 1 }
    }

    mutating func tried(_ index: Int, _ items: [Item]) {
        guard tried.indices.contains(index), !tried[index] else { return }
        tried[index] = true
        let station = items[index].station
        waits[station]?.untriedCount -= 1
        if waits[station]?.untriedCount == 0 { rest(at: station) }
    }

    mutating func begin(at station: String, _ instant: Int) {
        waits[station]?.since = instant
        waits[station]?.passedOverCount = 0
    }

    mutating func rest(at station: String) { waits[station]?.since = nil }

    /// It may not be leased, wherever its items wait.
    mutating func restEverywhere() {
        for index in waits.values.indices { waits.values[index].since = nil }
    }

    mutating func hadTurn(at station: String, _ instant: Int) { waits[station]?.lastTurn = instant }

    /// Whether it waits only since after `instant`: it had a turn since then, or came later.
    func waitsLess(at station: String, than instant: Int) -> Bool {
        max(waits[station]?.lastTurn ?? 0, cameAt) >= instant
    }

    /// - Returns: how many leases in a row have passed it over.
    mutating func pass(at station: String) -> Int {
        waits[station]?.passedOverCount += 1
        return waits[station]?.passedOverCount ?? 0
    }

    mutating func elderServed(at station: String) { waits[station]?.passedOverCount = 0 }

    /// One lease of ten is not counted: it may have been the one for the longest wait.
    mutating func forgive(at station: String) {
        guard let count = waits[station]?.passedOverCount else { return }
        waits[station]?.passedOverCount = max(0, count + 1 - Auditor.leasesPerLongestWait)
    }
}

// Orders take turns: the higher priority goes first, equals follow one another, and every tenth lease of a station
// goes to the order that has waited longest.
extension Auditor {
    static let leasesPerLongestWait = 10

    /// Compares a lease with everybody who waited at its station.
    func takeTurn(_ item: ItemRef, at station: String, isOutOfTurn: Bool, now: Moment) {
        guard let taker = records[item.order] else { return }
        turnClock += 1
        leaseCounts[station, default: 0] += 1
        var isBeforeHigher = false
        for position in records.values.indices where records.keys[position] != item.order {
            let waiting = records.values[position]
            guard let since = waiting.turns.waits[station]?.since else { continue }
            if isOutOfTurn {
                waiting.turns.forgive(at: station)
            } else {
                isBeforeHigher = isBeforeHigher || taker.priority < waiting.priority
                let waitsLess = taker.turns.waitsLess(at: station, than: since)
                compare(taker, with: waiting, at: station, waitsLess: waitsLess)
            }
        }
        if isBeforeHigher { checkIsTenth(taker, at: station) }
        taker.turns.tried(item.index, taker.items)
        if !isOutOfTurn { taker.turns.hadTurn(at: station, turnClock) }
        if mayTakeTurns(taker, at: station, now: now) {
            taker.turns.begin(at: station, turnClock)
        } else {
            taker.turns.rest(at: station)
        }
    }

    private func compare(
        _ taker: Record, with waiting: Record, at station: String, waitsLess: Bool
    ) {
        guard waitsLess else { return waiting.turns.elderServed(at: station) }
        expect(
            taker.priority > waiting.priority,
            "\(taker.accepted.id) has a turn at \(station), and \(waiting.accepted.id) waits longer with no "
                + "lower priority")
        expect(
            waiting.turns.pass(at: station) < Auditor.leasesPerLongestWait,
            "\(waiting.accepted.id) waits at \(station), and ten leases in a row go to who waited less")
    }

    /// A lower priority goes first with every tenth lease only.
    private func checkIsTenth(_ taker: Record, at station: String) {
        let count = leaseCounts[station, default: 0]
        if let last = lastTenths[station] {
            expect(
                (count - last) % Auditor.leasesPerLongestWait == 0,
                "\(taker.accepted.id) goes before a higher priority at \(station), "
                    + "\(count - last) leases after the last that did")
        }
        lastTenths[station] = count
    }

    /// Who waits at the end of a round waits for certain from here on.
    func beginWaits(now: Moment) {
        turnClock += 1
        let before = aLittleBefore(now)
        for item in returned where records[item.order].map({ !mayLease($0, now: before) }) ?? true {
            steppedBack.insert(item)
        }
        for record in records.values where record.isSealed && !record.isServed {
            for (station, wait) in record.turns.waits where wait.since == nil && wait.untriedCount > 0 {
                guard mayLease(record, now: before) else { break }
                record.turns.begin(at: station, turnClock)
            }
        }
    }

    /// Timers count whole milliseconds.
    private func aLittleBefore(_ now: Moment) -> Moment {
        Moment(
            instant: now.instant.advanced(by: .milliseconds(-2)),
            wall: WallTime(milliseconds: now.wall.milliseconds - 2))
    }

    /// What came back from a worker goes before all that has turns; where its order could not be leased, it stands
    /// among the items of that.
    func checkFirstInLine(_ item: ItemRef, at station: String, now: Moment) {
        let before = aLittleBefore(now)
        let passedOver = returned.first {
            records[$0.order]?.accepted.spec.maxParallel == 0
                && !suspects.contains($0) && !steppedBack.contains($0)
                && mayGoFirst($0, at: station, now: before)
        }
        if let passedOver {
            blame("\(item.text) is leased at \(station), and \(passedOver.text), which came back, is not")
        }
    }

    /// What may be leased is leased with the round that makes it so, where a worker has room.
    func checkNobodyIdles(now: Moment) {
        let before = aLittleBefore(now)
        for session in sessions.values where !session.isDraining {
            for (station, capacity) in session.capacities where session.counts[station, default: 0] < capacity
            {
                if let order = records.values.first(where: { mayTakeTurns($0, at: station, now: before) }),
                    !isSomebodyApart
                {
                    blame("\(order.accepted.id) waits at \(station), and a worker has places free there")
                }
                if let item = returned.first(where: { mayGoFirst($0, at: station, now: before) }),
                    !isSomebodyApart
                {
                    blame("\(item.text) came back, and a worker has places free at \(station)")
                }
            }
        }
    }

    /// Somebody is on probation, or items run apart, or wait for that: then places may be free on purpose.
    private var isSomebodyApart: Bool {
        !probations.isEmpty || !suspects.isEmpty
            || held.values.contains { !$0.isRevoked && records[$0.item.order]?.losses[$0.item.index] != nil }
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
        return !isAtItsLimit(record)
    }

    func isAtItsLimit(_ record: Record) -> Bool {
        let parallelMax = Int(record.accepted.spec.maxParallel)
        return parallelMax > 0 && currentCounts[record.accepted.id, default: 0] >= parallelMax
    }
}
