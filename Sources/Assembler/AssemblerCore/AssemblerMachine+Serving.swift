import Wire

// Slots get their outcomes, and trays reach their ends.
extension AssemblerMachine {
    /// Settles a slot, once, and ends the order where its policy says so.
    /// - Parameter outcome: its status, result or error, worker and start.
    mutating func settle(_ item: ItemKey, _ outcome: consuming Outcome, now: Moment) {
        guard let landing = land(item, consume outcome, now: now) else { return }
        if landing.isBackBelowLimit { goOn(item.order) }
        endIfDecided(item.order, landing.verdict, now: now)
    }

    @discardableResult
    private mutating func land(_ item: ItemKey, _ outcome: consuming Outcome, now: Moment) -> Tray.Landing? {
        let status = outcome.status
        guard let landing = trays.visit(item.order, { $0.settle(item.index, status) }) ?? nil else {
            return nil
        }
        forget(landing.losses, of: item, at: landing.station)
        stations[landing.station.value].openCount -= 1
        openItemCount -= 1
        if let lease = landing.lease {
            stations[landing.station.value].leasedCount -= 1
            // The lease that brought the outcome has ended already; any other is told to stop.
            revoke(lease, .settled)
        }
        outcome.landing = UInt32(landing.number)
        outcome.index = UInt32(item.index)
        outcome.attempts = UInt32(status == .done ? max(1, landing.attemptCount) : landing.attemptCount)
        outcome.finishedAtMs = UInt64(clamping: now.wall.milliseconds)
        round.landed.append(consume outcome, at: item.order)
        return landing
    }

    /// Ends the order where its policy says so.
    mutating func endIfDecided(_ order: OrderID, _ verdict: Policy.Verdict, now: Moment) {
        guard case .end(let status, let reason) = verdict else { return }
        endOrder(order, status, rest: .cancelled, reason: reason, now: now)
    }

    /// Settles what is open, and serves.
    private mutating func endOrder(
        _ order: OrderID, _ status: OrderStatus, rest: ItemStatus, reason: String, now: Moment
    ) {
        guard trays[order]?.isRunning == true else { return }
        let error = ItemError.with {
            $0.kind = rest == .expired ? .expired : .cancelled
            $0.message = reason
        }
        for index in trays[order]?.openIndexes ?? [] {
            let held = trays[order]?.slots[index].lease.flatMap { leases[$0] }
            let outcome = Outcome.with {
                $0.status = rest
                $0.error = error
                $0.worker = held.flatMap { sessions[$0.connection]?.name } ?? ""
                $0.startedAt = held?.leasedAt.wall
            }
            land(ItemKey(order: order, index: index), outcome, now: now)
        }
        serve(order, status, now: now)
    }

    private mutating func serve(_ order: OrderID, _ status: OrderStatus, now: Moment) {
        guard let tray = trays[order] else { return }
        precondition(tray.openCount == 0, "served \(order) with \(tray.openCount) open slots")
        let record = ServedRecord(
            status: status, at: now.wall, elapsed: elapsed(of: tray, now: now), counts: tray.counts)
        trays[order]?.serve(record)
        runningOrderCount -= 1
        openBytes -= tray.byteCount
        round.served.append(order)
    }

    func elapsed(of tray: Tray, now: Moment) -> Duration {
        if let arrivedAt = tray.arrivedAt { return arrivedAt.duration(to: now.instant) }
        return max(.zero, tray.accepted.acceptedAt.duration(to: now.wall))
    }

    // MARK: Ends from outside

    mutating func deadlinePassed(_ order: OrderID, now: Moment) {
        endOrder(order, .expired, rest: .expired, reason: "the order's deadline passed", now: now)
    }

    /// - Returns: whether the order was running: one that had ended stays as it was.
    mutating func cancel(_ order: OrderID, now: Moment) -> Bool {
        guard trays[order]?.isRunning == true else { return false }
        round.step.changes.append(.cancelRequested(order: order, at: now.wall))
        endOrder(order, .cancelled, rest: .cancelled, reason: "the order was cancelled", now: now)
        return true
    }

    // MARK: The round's end

    mutating func flushRound(now: Moment) {
        for (order, outcomes) in round.landed.elements {
            for chunk in outcomes.chunks(of: Limits.batchCountMax) {
                round.step.changes.append(.settled(order: order, outcomes: chunk))
            }
        }
        for order in round.served {
            guard let record = trays[order]?.served else { continue }
            round.step.changes.append(.served(order: order, record))
        }
        for (order, _) in round.landed.elements { answerWatchers(of: order) }
        for order in round.served where !round.landed.contains(order) { answerWatchers(of: order) }
        servedNow += round.served
        round.served = []
        for (connection, acks) in round.acks.elements {
            for chunk in acks.chunks(of: Limits.batchCountMax) {
                round.step.actions.append(.tellWorker(connection, .acks(AckBatch.with { $0.acks = chunk })))
            }
        }
        for (connection, revokes) in round.revokes.elements {
            for chunk in revokes.chunks(of: Limits.batchCountMax) {
                round.step.actions.append(
                    .tellWorker(connection, .revokes(RevokeBatch.with { $0.revokes = chunk })))
            }
        }
        for connection in round.forgotten where !sessions.contains(connection) && producers[connection] == nil
        {
            round.step.actions.append(.forget(connection))
        }
        round.forgotten = []
        round.landed.removeAll()
        round.acks.removeAll()
        round.revokes.removeAll()
    }

    private mutating func answerWatchers(of order: OrderID) {
        for watcher in watchers.removeValue(forKey: order) ?? [] {
            round.step.actions.append(
                .answerOutcomes(
                    watcher.connection, request: watcher.request, order, after: watcher.after,
                    countMax: watcher.countMax))
        }
    }

    /// The changes so far are in the store: what they served has taken until now.
    mutating func committed(now: Moment) {
        for order in servedBefore { forgetTray(order) }
        servedBefore = servedNow
        servedNow = []
        for order in servedBefore {
            guard let tray = trays[order], let record = tray.served else { continue }
            let elapsed = elapsed(of: tray, now: now)
            trays[order]?.correctElapsed(elapsed)
            round.step.changes.append(.elapsed(order: order, elapsed))
            note(.orderServed(order, record.status, elapsed: elapsed))
        }
    }

    private mutating func forgetTray(_ order: OrderID) {
        guard let tray = trays[order] else { return }
        trays[order] = nil
        if keys[tray.accepted.spec.key] == order { keys[tray.accepted.spec.key] = nil }
    }

    /// It was never sealed, and no page came for too long: nothing of it stays.
    mutating func abandon(_ order: OrderID) {
        guard let tray = trays[order], tray.phase == .filling else { return }
        openItemCount -= tray.itemCount
        openBytes -= tray.byteCount
        for slot in tray.slots { stations[tray.kinds[Int(slot.kind)].station.value].openCount -= 1 }
        forgetTray(order)
        round.step.changes.append(.abandoned(order: order))
        note(.orderAbandoned(order))
    }
}

extension Outcome {
    /// When its last attempt began; `nil` where there was none.
    var startedAt: WallTime? {
        get { startedAtMs == 0 ? nil : WallTime(milliseconds: Int64(clamping: startedAtMs)) }
        set { startedAtMs = UInt64(clamping: newValue?.milliseconds ?? 0) }
    }
}

extension Array {
    /// Makes room for so many more elements. Grows as appending would, at least: it may be called again and again.
    mutating func reserveMore(_ count: Int) {
        guard capacity - self.count < count else { return }
        reserveCapacity(Swift.max(2 * capacity, self.count + count))
    }

    fileprivate func chunks(of size: Int) -> [[Element]] {
        guard count > size else { return isEmpty ? [] : [self] }
        return stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
