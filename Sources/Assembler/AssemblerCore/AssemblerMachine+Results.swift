import Wire

// How leases end.
extension AssemblerMachine {
    /// A result is judged by its lease alone, and always acknowledged, or its worker would hold it for ever.
    mutating func receive(
        _ results: [ItemResult], at place: Int, from connection: ConnectionID, now: Moment
    ) {
        var ack = Ack()
        ack.lease = results[place].lease
        ack.fate = judge(results, at: place, LeaseKey(ack.lease), from: connection, now: now)
        round.acks.append(consume ack, at: connection)
    }

    private mutating func judge(
        _ results: [ItemResult], at place: Int, _ key: LeaseKey, from connection: ConnectionID, now: Moment
    ) -> Ack.Fate {
        guard let order = OrderID(results[place].order), mayHaveGiven(key) else { return .unknown }
        let item = ItemKey(order: order, index: Int(results[place].index))
        let held = leases[key]
        if let held {
            guard held.item == item else { return .unknown }
            end(held)
        }
        let trayPosition = held?.positions.tray ?? 0
        guard let state = trays.visit(order, near: trayPosition, { $0.state(of: item.index) }) ?? nil else {
            return isOurs(key) ? late(item, from: connection) : .unknown
        }
        let holder = held?.connection ?? connection
        // Most are done: to choose among all endings would copy it first.
        if case .done = results[place].ending {
            let content = results[place].done
            guard content.data.count <= Limits.contentBytesMax else {
                let failure = tooLarge(content)
                let isOfUse = fail(item, key, failure, by: holder, startedAt: held?.leasedAt.wall, now: now)
                return isOfUse ? .invalid : late(item, from: connection)
            }
            if let held { trust(held) }
            // A success fills an empty slot, whatever became of its lease.
            if case .settled = state { return late(item, from: connection) }
            let worker = sessions.visit(holder) { $0.countDone() } ?? ""
            let ran = Int64(clamping: results[place].elapsedUs / 1_000)
            let startedAt = startOfAttempt(held, ran: ran, now: now)
            settle(item, .done(content, by: worker, startedAt: startedAt), now: now)
            return .stored
        }
        switch results[place].ending {
        case .failed(let failure):
            sessions[holder]?.failedCount += 1
            if let held, held.state == .running, !failure.permanent {
                countFailure(held, failure.error.message, now: now.instant)
            }
            let isOfUse = fail(item, key, failure, by: holder, startedAt: held?.leasedAt.wall, now: now)
            return isOfUse ? .stored : late(item, from: connection)
        case .returned(let returned):
            if let held {
                if returned.reason == .unsupported {
                    withdraw(held)
                } else {
                    countReturn(held, now: now.instant)
                }
            }
            offerAgain(item, key)
            return .stored
        case .done, nil:
            // Not done, as that was above: its handler has ended in a way that this version does not know.
            if let held { countReturn(held, now: now.instant) }
            offerAgain(item, key)
            return .invalid
        }
    }

    /// A lease that was adopted after a restart began before it was known here: its handler's time says when.
    private func startOfAttempt(_ held: HeldLease?, ran: Int64, now: Moment) -> WallTime {
        let byHandler = WallTime(milliseconds: now.wall.milliseconds - ran)
        return min(held?.leasedAt.wall ?? byHandler, byHandler)
    }

    private func tooLarge(_ content: Content) -> HandlerFailure {
        HandlerFailure.with {
            $0.error.kind = .failed
            $0.error.message =
                "the result has \(content.data.count) bytes; "
                + "at most \(Limits.contentBytesMax) are taken"
            $0.permanent = true
        }
    }

    private mutating func late(_ item: ItemKey, from connection: ConnectionID) -> Ack.Fate {
        counters.lateResultCount += 1
        note(.lateResult(item.order, index: item.index, worker: sessions[connection]?.name ?? ""))
        return .late
    }

    /// The worker does not serve the station after all: it gets no more of it.
    private mutating func withdraw(_ held: HeldLease) {
        guard let place = stations[held.station.value].placeIndex(of: held.connection) else { return }
        stations[held.station.value].places[place].capacity = 0
    }

    // MARK: Failing

    /// - Returns: `false` when the slot does not count on this lease (any more): a race, not an error.
    private mutating func fail(
        _ item: ItemKey, _ key: LeaseKey, _ failure: HandlerFailure, by connection: ConnectionID,
        startedAt: WallTime?, now: Moment
    ) -> Bool {
        let session = sessions[connection]
        let worker = session?.name ?? ""
        let instance = session?.instance ?? WorkerInstance(bytes: [])
        guard
            let failed = trays[item.order]?.fail(
                item.index, key, by: instance, isPermanent: failure.permanent)
        else { return false }
        stations[failed.station.value].leasedCount -= 1
        counters.attemptFailedCount += 1
        var error = failure.error
        if error.kind != .timeout { error.kind = .failed }
        error.message = error.message.clipped(toBytes: Limits.errorMessageBytesMax)
        round.step.changes.append(
            .attemptFailed(
                order: item.order, index: item.index,
                AttemptRecord(
                    attempt: failed.attempt, lease: key.id, worker: worker, instance: instance,
                    isAlone: false, error: error,
                    at: now.wall)))
        guard case .rest(let failureCount) = failed.action else {
            noteFailure(item, failed.attempt, worker, error, retryIn: nil)
            let outcome = Outcome.with {
                $0.status = .failed
                $0.error = error
                $0.worker = worker
                $0.startedAt = startedAt
            }
            settle(item, outcome, now: now)
            return true
        }
        let pause = retryPause(item, failureCount: failureCount)
        timers.set(.retry(item), at: now.instant.advanced(by: pause))
        noteFailure(item, failed.attempt, worker, error, retryIn: pause)
        placeFreed(item.order)
        return true
    }

    private mutating func noteFailure(
        _ item: ItemKey, _ attempt: Int, _ worker: String, _ error: ItemError, retryIn: Duration?
    ) {
        note(
            .attemptFailed(
                item.order, index: item.index, attempt: attempt, worker: worker, message: error.message,
                retryIn: retryIn))
    }

    /// Doubles with each failure; between half and all of it, by a hash, so that items do not come back in
    /// step.
    private func retryPause(_ item: ItemKey, failureCount: Int) -> Duration {
        let doublings = min(failureCount - 1, 30)
        let full = min(configuration.retryPause * (1 << doublings), configuration.retryPauseMax)
        let hash = mix(
            item.order.high ^ mix(item.order.low ^ mix(UInt64(item.index) << 16 | UInt64(failureCount))))
        return .nanoseconds(full.nanoseconds / 2 + Int64(hash % UInt64(max(1, full.nanoseconds / 2))))
    }

    /// The worker should have reported this itself: its lease is taken back, whatever the handler does.
    mutating func attemptTimedOut(_ key: LeaseKey, now: Moment) {
        guard let held = leases[key], held.state == .running else { return }
        let item = held.item
        let timeout = trays[item.order]?.kind(of: item.index).timeout ?? .zero
        note(.attemptTimedOut(item.order, index: item.index, worker: sessions[held.connection]?.name ?? ""))
        let failure = HandlerFailure.with {
            $0.error.kind = .timeout
            $0.error.message = "the attempt ran longer than \(timeout), and its worker did not stop it"
        }
        countFailure(held, failure.error.message, now: now.instant)
        revoke(key, .timeout)
        _ = fail(item, key, failure, by: held.connection, startedAt: held.leasedAt.wall, now: now)
    }

    // MARK: Trust

    /// A failure that its handler does not call the item's fault may be the worker's.
    private mutating func countFailure(_ held: HeldLease, _ message: String, now: Instant) {
        let station = held.station.value
        guard let place = stations[station].placeIndex(of: held.connection) else { return }
        let action = stations[station].places[place].probation.fail(
            held.key, message, youngest: youngestLease, rules: configuration, now: now)
        guard case .pause(let pause, let isFirst) = action else { return }
        timers.set(.probationPause(held.connection, held.station), at: now.advanced(by: pause))
        guard isFirst else { return }
        note(
            .probationBegan(
                worker: sessions[held.connection]?.name ?? "", station: stations[station].name,
                failures: stations[station].places[place].probation.failureCount, message: message))
    }

    /// A lease that is given back says nothing of its item. But who gives back everything has free places
    /// always, and would get everything again: without a reason it counts as a failure.
    private mutating func countReturn(_ held: HeldLease, now: Instant) {
        guard held.state == .running, sessions[held.connection]?.state == .serving else { return }
        countFailure(held, "it gave the lease back", now: now)
    }

    private mutating func trust(_ held: HeldLease) {
        let station = held.station.value
        guard let place = stations[station].placeIndex(of: held.connection, near: held.place),
            stations[station].places[place].probation.succeed()
        else { return }
        note(
            .probationEnded(
                worker: sessions[held.connection]?.name ?? "", station: stations[station].name))
    }

    mutating func endPause(_ connection: ConnectionID, at station: StationIndex, now: Instant) {
        guard let place = stations[station.value].placeIndex(of: connection),
            stations[station.value].places[place].probation.endPause(now: now)
        else { return }
        markChanged(station)
    }

    // MARK: Ending leases

    /// The handler has ended: its place is free again.
    private mutating func end(_ held: HeldLease) {
        leases.remove(held.key)
        let runsNothing = sessions.visit(held.connection, near: held.positions.session) { session in
            session.leasedCount -= 1
            if held.state == .revoked { session.stoppingCount -= 1 }
            return session.runningCount == 0
        }
        let station = held.station.value
        if let place = stations[station].placeIndex(of: held.connection, near: held.place) {
            stations[station].places[place].leasedCount -= 1
            if held.state == .revoked { stations[station].places[place].stoppingCount -= 1 }
        }
        markChanged(held.station)
        if runsNothing == true { lastStopped(held.connection) }
    }

    /// The worker runs no lease any more.
    private mutating func lastStopped(_ connection: ConnectionID) {
        guard let session = sessions[connection] else { return }
        if session.examination != nil { round.freedExaminers.append(connection) }
        for station in session.stations where !stations[station.value].suspects.isEmpty {
            markChanged(station)
        }
    }

    /// The lease ends without a word of its handler.
    /// - Returns: whether its item waits again because of that.
    @discardableResult
    mutating func giveBack(_ held: HeldLease, loss: Losses.Loss? = nil) -> Bool {
        end(held)
        return held.state == .running && offerAgain(held.item, held.key, loss: loss)
    }

    /// Takes the lease away from its slot's keeping; the worker is told to stop.
    mutating func revoke(_ key: LeaseKey, _ reason: Revoke.Reason) {
        guard var held = leases[key], held.revoke() else { return }
        leases[key] = held
        if let place = stations[held.station.value].placeIndex(of: held.connection) {
            stations[held.station.value].places[place].stoppingCount += 1
        }
        let runsNothing = sessions.visit(held.connection) { session in
            session.stoppingCount += 1
            return session.runningCount == 0
        }
        if runsNothing == true { lastStopped(held.connection) }
        sendRevoke(key, to: held.connection, reason)
    }

    mutating func sendRevoke(_ key: LeaseKey, to connection: ConnectionID, _ reason: Revoke.Reason) {
        let revoke = Revoke.with {
            $0.lease = key.id
            $0.reason = reason
        }
        round.revokes.append(revoke, at: connection)
    }
}

extension Outcome {
    fileprivate static func done(_ result: Content, by worker: String, startedAt: WallTime) -> Outcome {
        Outcome.with {
            $0.status = .done
            $0.result = result
            $0.worker = worker
            $0.startedAt = startedAt
        }
    }
}

/// A good mixing of 64 bits. Source: the finalizer of SplitMix64 (Steele, Lea, Flood, 2014).
private func mix(_ value: UInt64) -> UInt64 {
    var bits = value &+ 0x9e37_79b9_7f4a_7c15
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
}

extension String {
    /// At most so many bytes of UTF-8, cut between characters.
    func clipped(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(startIndex, offsetBy: limit)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
