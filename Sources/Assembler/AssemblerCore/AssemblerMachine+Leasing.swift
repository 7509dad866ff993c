import Wire

// Who gets what.
extension AssemblerMachine {
    /// Gives every station's waiting items to its workers, for as long as there is credit.
    mutating func leaseOut(now: Moment) {
        while !round.changedStations.isEmpty {
            let changed = round.changedStations
            round.changedStations = []
            for station in changed {
                examine(at: station, now: now)
                leaseOut(at: station, now: now)
            }
        }
    }

    private mutating func leaseOut(at station: StationIndex, now: Moment) {
        guard stations[station.value].hasQueue else { return }
        var openings = Openings(at: stations[station.value], among: sessions)
        // Not all that wait may be leased.
        round.step.actions.reserveMore(
            min(openings.credit, stations[station.value].waitingCount, Limits.batchCountMax))
        leaseReturned(at: station, to: &openings, now: now)
        var passedOver: [Station.QueuedOrder] = []
        while let best = openings.best, let queued = stations[station.value].dequeue() {
            switch takeNext(of: queued, at: station, best: best) {
            case .item(let index, let place):
                let item = ItemKey(order: queued.order, index: index)
                grant(item, at: station, to: place, of: &openings, now: now)
                guard trays.visit(queued.order, { $0.endTurn(at: station) }) == true else { continue }
                stations[station.value].enqueue(
                    queued.order, trayPosition: queued.trayPosition, priority: queued.priority)
            case .nothing, nil:
                _ = trays[queued.order]?.endTurn(at: station)
            case .wait:
                passedOver.append(queued)
            }
        }
        for queued in passedOver.reversed() { stations[station.value].putBack(queued) }
        stations[station.value].dropEmptyLevels()
    }

    /// - Parameter best: the place that gets what any worker may have.
    private mutating func takeNext(
        of queued: Station.QueuedOrder, at station: StationIndex, best: Int
    ) -> Tray.Next? {
        let untried = trays.visit(queued.order, near: queued.trayPosition) { $0.takeUntried(at: station) }
        if let item = untried ?? nil { return .item(item, place: best) }
        return trays[queued.order]?.takeNext(
            at: station, of: stations[station.value], among: sessions, best: best)
    }

    /// What a lost worker held goes first.
    private mutating func leaseReturned(
        at station: StationIndex, to openings: inout Openings, now: Moment
    ) {
        for _ in 0..<stations[station.value].returned.count {
            guard let best = openings.best, let item = stations[station.value].returned.popFirst() else {
                return
            }
            switch trays[item.order]?.takeReturned(
                item.index, at: station, of: stations[station.value], among: sessions, best: best)
            {
            case .lease(let place): grant(item, at: station, to: place, of: &openings, now: now)
            case .wait: stations[station.value].returned.append(item)
            case .stepBack: queue(item.order, at: station)
            case .ignore, nil: break
            }
        }
    }

    private mutating func grant(
        _ item: ItemKey, at station: StationIndex, to place: Int, of openings: inout Openings, now: Moment
    ) {
        grant(item, at: station, place: place, now: now)
        if place == openings.best {
            openings.take()
        } else {
            // It had to avoid the best one.
            openings = Openings(at: stations[station.value], among: sessions)
        }
    }

    mutating func grant(_ item: ItemKey, at station: StationIndex, place: Int, now: Moment) {
        let key = newLease()
        guard let attempt = trays.visit(item.order, { $0.lease(item.index, key) }) ?? nil else {
            preconditionFailure("\(item) was chosen, and does not wait")
        }
        let connection = stations[station.value].places[place].connection
        let positions = HeldLease.Positions(
            tray: trays.position(of: item.order),
            session: stations[station.value].places[place].sessionPosition)
        stations[station.value].take(place)
        _ = sessions.visit(connection, near: positions.session) { $0.leasedCount += 1 }
        stations[station.value].leasedCount += 1
        leases.give(
            HeldLease(
                key: key, item: item, station: station, connection: connection, place: place,
                positions: positions,
                attempt: attempt.number,
                leasedAt: now))
        armTimeout(key, nanoseconds: attempt.timeoutNanoseconds, now: now.instant)
        round.step.actions.append(
            .lease(
                connection,
                Grant(
                    lease: key.id, order: item.order, index: item.index,
                    station: stations[station.value].name,
                    attempt: attempt.number, timeout: attempt.timeout)))
    }

    /// The worker ends an attempt at its timeout; the assembler waits one heartbeat limit longer.
    /// - Parameter nanoseconds: the attempt's timeout.
    mutating func armTimeout(_ key: LeaseKey, nanoseconds: Int64, now: Instant) {
        let end = now.advanced(byNanoseconds: nanoseconds).advanced(byNanoseconds: silenceMaxNanoseconds)
        timers.set(.attemptTimeout(key), at: end)
    }

    // MARK: Into the queue

    /// The order's items may be leased from now on, or from its `not_before` on.
    mutating func begin(_ order: OrderID, now: Moment) {
        guard let notBefore = trays[order]?.accepted.spec.notBeforeMs, trays[order]?.isRunning == true else {
            return
        }
        let wait = Int64(clamping: notBefore) - now.wall.milliseconds
        guard wait <= 0 else {
            trays[order]?.isHeldBack = true
            return timers.set(.orderBegins(order), at: now.instant.advanced(by: .milliseconds(wait)))
        }
        trays[order]?.isHeldBack = false
        queueAll(order)
        queueSuspects(of: order)
    }

    /// Its rest after a failure is over.
    mutating func retry(_ item: ItemKey) {
        guard trays[item.order]?.wake(item.index) == true,
            let station = trays[item.order]?.addRetry(item.index)
        else { return }
        queue(item.order, at: station)
    }

    /// The attempt is over without an end of its own; its item waits again, first in line, or as a suspect.
    /// - Returns: whether the slot had counted on this lease.
    @discardableResult
    mutating func offerAgain(_ item: ItemKey, _ key: LeaseKey, loss: Losses.Loss? = nil) -> Bool {
        guard let station = trays[item.order]?.release(item.index, key, isLoss: loss != nil) else {
            return false
        }
        if let loss { remember(loss, of: item) }
        stations[station.value].leasedCount -= 1
        if isSuspect(item) {
            round.suspects[station, default: []].append(item)
        } else {
            stations[station.value].returned.append(item)
        }
        markChanged(station)
        placeFreed(item.order)
        return true
    }

    /// The order holds one lease less: where `max_parallel` had stopped it, it goes on.
    mutating func placeFreed(_ order: OrderID) {
        if trays.visit(order, { $0.isJustBelowItsLimit }) == true { goOn(order) }
    }

    mutating func goOn(_ order: OrderID) {
        queueAll(order)
        guard trays.visit(order, { $0.losses.isEmpty }) == false else { return }
        for line in trays.visit(order, { $0.lines }) ?? [] { markChanged(line.station) }
    }

    private mutating func queueAll(_ order: OrderID) {
        for station in trays.visit(order, { $0.lines.map(\.station) }) ?? [] { queue(order, at: station) }
    }

    private mutating func queue(_ order: OrderID, at station: StationIndex) {
        guard trays.visit(order, { $0.joinQueue(at: station) }) == true,
            let priority = trays.visit(order, { $0.priority })
        else { return }
        stations[station.value].enqueue(
            order, trayPosition: trays.position(of: order), priority: priority)
        markChanged(station)
    }
}
