import AssemblerCore
import OrderedCollections
import Wire

// Orders take turns: the higher priority goes first, equals follow one another, and every tenth lease of a station
// goes to the order that has waited longest.
extension Auditor {
    static let leasesPerLongestWait = 10

    /// Compares a lease with everybody who waited at its station.
    mutating func takeTurn(_ index: Int, of taker: Record, at station: Int, isOutOfTurn: Bool, now: Moment) {
        turnClock += 1
        while leaseCounts.count <= station { leaseCounts.append(LeaseCount()) }
        leaseCounts[station].count += 1
        var isBeforeHigher = false
        for waiting in unserved where waiting !== taker {
            guard let since = waiting.turns.waitsSince(at: station) else { continue }
            if isOutOfTurn {
                waiting.turns.forgive(at: station)
            } else {
                isBeforeHigher = isBeforeHigher || taker.priority < waiting.priority
                let waitsLess = taker.turns.waitsLess(at: station, than: since)
                compare(taker, with: waiting, at: station, waitsLess: waitsLess)
            }
        }
        if isBeforeHigher { checkIsTenth(taker, at: station) }
        taker.turns.tried(index)
        if !isOutOfTurn { taker.turns.hadTurn(at: station, turnClock) }
        if mayTakeTurns(taker, at: station, now: now) {
            taker.turns.begin(at: station, turnClock)
        } else {
            taker.turns.rest(at: station)
        }
    }

    private func compare(_ taker: Record, with waiting: Record, at station: Int, waitsLess: Bool) {
        guard waitsLess else { return waiting.turns.elderServed(at: station) }
        expect(
            taker.priority > waiting.priority,
            "\(taker.id) has a turn at \(stations.names[station]), and \(waiting.id) waits longer with no "
                + "lower priority")
        expect(
            waiting.turns.pass(at: station) < Auditor.leasesPerLongestWait,
            "\(waiting.id) waits at \(stations.names[station]), and ten leases in a row go to who waited less"
        )
    }

    /// A lower priority goes first with every tenth lease only.
    private mutating func checkIsTenth(_ taker: Record, at station: Int) {
        let count = leaseCounts[station].count
        if let last = leaseCounts[station].lastTenth {
            expect(
                (count - last) % Auditor.leasesPerLongestWait == 0,
                "\(taker.id) goes before a higher priority at \(stations.names[station]), "
                    + "\(count - last) leases after the last that did")
        }
        leaseCounts[station].lastTenth = count
    }

    /// Who waits at the end of a round waits for certain from here on.
    mutating func beginWaits(now: Moment) {
        turnClock += 1
        let before = aLittleBefore(now)
        for item in returned where records[item.order].map({ !mayLease($0, now: before) }) ?? true {
            steppedBack.insert(item)
        }
        for record in unserved where mayLease(record, now: before) {
            for station in record.turns.knownStations
            where record.turns.waitsSince(at: station) == nil && record.turns.untriedCount(at: station) > 0 {
                record.turns.begin(at: station, turnClock)
            }
        }
    }

    /// Timers count whole milliseconds.
    private func aLittleBefore(_ now: Moment) -> Moment {
        Moment(
            instant: now.instant.advanced(byNanoseconds: -2_000_000),
            wall: WallTime(milliseconds: now.wall.milliseconds - 2))
    }

    /// What came back from a worker goes before all that has turns; where its order could not be leased, it stands
    /// among the items of that.
    func checkFirstInLine(_ item: ItemRef, at station: Int, now: Moment) {
        guard !returned.isEmpty else { return }
        let before = aLittleBefore(now)
        let passedOver = returned.first {
            records[$0.order]?.parallelMax == 0 && !suspects.contains($0) && !steppedBack.contains($0)
                && mayGoFirst($0, at: station, now: before)
        }
        if let passedOver {
            blame(
                "\(item.text) is leased at \(stations.names[station]), and \(passedOver.text), which came back, is "
                    + "not")
        }
    }

    /// What may be leased is leased with the round that makes it so, where a worker has room.
    func checkNobodyIdles(now: Moment) {
        let before = aLittleBefore(now)
        for station in stations.names.indices {
            guard sessions.values.contains(where: { $0.hasRoom(at: station) }) else { continue }
            if let record = unserved.first(where: { mayTakeTurns($0, at: station, now: before) }),
                !isSomebodyApart
            {
                blame("\(record.id) waits at \(stations.names[station]), and a worker has places free there")
            }
            if let item = returned.first(where: { mayGoFirst($0, at: station, now: before) }),
                !isSomebodyApart
            {
                blame("\(item.text) came back, and a worker has places free at \(stations.names[station])")
            }
        }
    }

    /// Somebody is on probation, or items run apart, or wait for that: then places may be free on purpose.
    private var isSomebodyApart: Bool {
        !probations.isEmpty || !suspects.isEmpty
            || held.values.contains { !$0.isRevoked && records[$0.item.order]?.losses[$0.item.index] != nil }
    }

    private func mayTakeTurns(_ record: Record, at station: Int, now: Moment) -> Bool {
        record.turns.untriedCount(at: station) > 0 && mayLease(record, now: now)
    }

    private func mayGoFirst(_ item: ItemRef, at station: Int, now: Moment) -> Bool {
        guard let record = records[item.order], record.items[item.index].station == stations.names[station],
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
        record.parallelMax > 0 && current.count(in: record.id) >= record.parallelMax
    }
}
