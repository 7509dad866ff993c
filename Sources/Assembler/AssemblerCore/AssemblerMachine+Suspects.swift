import Wire

// Items that have lost workers: they run apart, and those that end every worker are set aside.
extension AssemblerMachine {
    // MARK: Losses

    /// The worker ended while it held this lease.
    /// - Parameter isAlone: it held no other.
    mutating func lose(_ held: HeldLease, with session: Session, isAlone: Bool, now: Moment) {
        let item = held.item
        let loss = Losses.Loss(lease: held.key, worker: session.name, instance: session.instance)
        guard giveBack(held, loss: loss) else { return }
        counters.attemptLostCount += 1
        round.step.changes.append(
            .attemptLost(
                order: item.order, index: item.index,
                AttemptRecord(
                    attempt: held.attempt, lease: held.key.id, worker: session.name,
                    instance: session.instance, isAlone: isAlone, error: ItemError(), at: now.wall)))
        if isAlone { round.accused.append(Accusation(lease: held, worker: session.name)) }
    }

    /// Once all that had arrived is read: the last result, or a word of the worker that it is alive, may be in it.
    mutating func convictAccused(now: Moment) {
        let accused = round.accused
        round.accused = []
        for accusation in accused { convict(accusation, now: now) }
    }

    private mutating func convict(_ accusation: Accusation, now: Moment) {
        let item = accusation.lease.item
        guard trays[item.order]?.isConvicted(item.index) == true,
            let losses = trays[item.order]?.losses.of(item.index), losses.last?.lease == accusation.lease.key
        else { return }
        let lossCount = Int(trays[item.order]?.slots[item.index].lossesInRow ?? 0)
        let workers = losses.suffix(lossCount).map(\.worker)
        let error = ItemError.with {
            $0.kind = .poisoned
            $0.message =
                "\(lossCount) workers ended while they ran it, the last of them with nothing else to do: "
                + (workers.count < lossCount ? "…, " : "") + workers.joined(separator: ", ")
            $0.message = $0.message.clipped(toBytes: Limits.errorMessageBytesMax)
        }
        counters.poisonedCount += 1
        note(.itemPoisoned(item.order, index: item.index, workers: workers))
        let outcome = Outcome.with {
            $0.status = .poisoned
            $0.error = error
            $0.worker = accusation.worker
            $0.startedAt = accusation.lease.leasedAt.wall
        }
        settle(item, outcome, now: now)
    }

    mutating func remember(_ loss: Losses.Loss, of item: ItemKey) {
        if let forgotten = trays[item.order]?.losses.add(loss, to: item.index) { forget(forgotten, of: item) }
        lossesByWorker[loss.instance, default: []].insert(item)
    }

    /// A settled item is nobody's suspect: a worker that was kept free for it may go on.
    /// - Parameter losses: what its tray remembered of it.
    mutating func forget(_ losses: [Losses.Loss], of item: ItemKey, at station: StationIndex) {
        guard !losses.isEmpty else { return }
        for loss in losses { forget(loss, of: item) }
        markChanged(station)
    }

    private mutating func forget(_ loss: Losses.Loss, of item: ItemKey) {
        lossesByWorker[loss.instance]?.remove(item)
        if lossesByWorker[loss.instance]?.isEmpty == true { lossesByWorker[loss.instance] = nil }
    }

    /// A process that says hello lives: what was lost with it before was a connection, or its silence.
    mutating func takeBackLosses(of instance: WorkerInstance) {
        for item in lossesByWorker.removeValue(forKey: instance)?.sorted() ?? [] {
            let wasSuspect = isSuspect(item)
            for lease in trays[item.order]?.takeBackLosses(item.index, from: instance) ?? [] {
                round.step.changes.append(
                    .lossTakenBack(order: item.order, index: item.index, lease.id, from: instance))
            }
            guard wasSuspect, !isSuspect(item), let tray = trays[item.order],
                tray.state(of: item.index) == .waiting
            else { continue }
            let station = tray.kind(of: item.index).station
            stations[station.value].returned.append(item)
            markChanged(station)
        }
    }

    func isSuspect(_ item: ItemKey) -> Bool { trays[item.order]?.isSuspect(item.index) == true }

    private func isWaitingSuspect(_ item: ItemKey) -> Bool {
        trays[item.order]?.state(of: item.index) == .waiting && isSuspect(item)
    }

    // MARK: Into the queue

    /// The suspects of an order that an earlier incarnation had begun.
    mutating func queueSuspects(of order: OrderID) {
        guard let tray = trays[order], !tray.losses.isEmpty else { return }
        for index in tray.losses.indexes where isWaitingSuspect(ItemKey(order: order, index: index)) {
            round.suspects[tray.kind(of: index).station, default: []].append(
                ItemKey(order: order, index: index))
        }
    }

    /// Puts what became suspect in this round into its stations' queues.
    mutating func takeUpSuspects() {
        // An accused one waits for its judgement.
        let accused = Set(round.accused.map(\.lease.item))
        let suspects = round.suspects.mapValues { $0.filter { !accused.contains($0) } }
        round.suspects = round.suspects.mapValues { $0.filter(accused.contains) }.filter { !$0.value.isEmpty }
        for (station, items) in suspects where !items.isEmpty {
            stations[station.value].suspects.add(items.filter(isWaitingSuspect)) { item in
                trays[item.order]?.losses.of(item.index).last?.instance
            }
            markChanged(station)
        }
    }

    /// Unsettled suspects, by their stations.
    func suspectCounts() -> [StationIndex: Int] {
        var counts: [StationIndex: Int] = [:]
        for tray in trays.values where tray.isRunning {
            for index in tray.losses.indexes where tray.isSuspect(index) && !tray.slots[index].isSettled {
                counts[tray.kind(of: index).station, default: 0] += 1
            }
        }
        return counts
    }

    // MARK: Examinations

    /// Gives the next group to a worker that runs nothing, or reserves one until it does.
    mutating func examine(at station: StationIndex, now: Moment) {
        let examiner = stations[station.value].suspects.examiner
        if let examiner, sessions[examiner]?.examination?.phase == .examining { return }
        dropIdleGroups(at: station)
        guard let place = chooseExaminer(at: station, now: now.instant) else {
            if let examiner { unreserve(examiner) }
            return
        }
        let connection = stations[station.value].places[place].connection
        reserve(connection, for: station, now: now.instant)
        guard sessions[connection]?.runningCount == 0 else { return }
        let itemCount = giveGroup(to: place, at: station, now: now)
        precondition(itemCount > 0, "\(connection) was chosen for a group, and no group had anything to give")
        sessions[connection]?.examination?.phase = .examining
        note(
            .examinationBegan(
                worker: sessions[connection]?.name ?? "", station: stations[station.value].name,
                items: itemCount))
    }

    /// Leading groups in which nothing waits as a suspect any more are not looked at again.
    private mutating func dropIdleGroups(at station: StationIndex) {
        while let group = stations[station.value].suspects.groups.first,
            !group.contains(where: isWaitingSuspect)
        {
            _ = stations[station.value].suspects.next()
        }
    }

    private func canRun(_ item: ItemKey) -> Bool {
        isWaitingSuspect(item) && trays[item.order]?.mayLease == true
    }

    /// The place of a worker for the first group that there is one for.
    private mutating func chooseExaminer(at station: StationIndex, now: Instant) -> Int? {
        var nextRested: Instant?
        for group in stations[station.value].suspects.groups {
            guard let item = group.first(where: canRun) else { continue }
            if let place = examiner(for: item, at: station, now: now, nextRested: &nextRested) {
                return place
            }
        }
        if let nextRested, stations[station.value].suspects.alarm != nextRested {
            stations[station.value].suspects.alarm = nextRested
            timers.set(.examinationDue(station), at: nextRested)
        }
        return nil
    }

    /// A trusted worker that runs nothing, if there is one; else the one that has begun to clear goes on; else the
    /// trusted one that runs least; else one that is on trial.
    /// - Parameter nextRested: becomes when the first of those that rest may be chosen.
    private func examiner(
        for item: ItemKey, at station: StationIndex, now: Instant, nextRested: inout Instant?
    ) -> Int? {
        let queue = stations[station.value].suspects
        let places = stations[station.value].places
        let isOnlyOne = places.count(where: \.isServing) == 1
        var candidates: [(place: Int, session: Session, isTrusted: Bool, isChosen: Bool)] = []
        for (index, place) in places.enumerated() {
            let isChosen = queue.examiner == place.connection
            guard place.isServing, place.probation.leaseCountMax > 0, place.stoppingCount < place.capacity,
                !mustAvoid(place.instance, item, at: station),
                let session = sessions[place.connection], session.examination == nil || isChosen
            else { continue }
            let restsUntil = max(session.restsUntil ?? now, isOnlyOne ? queue.restsUntil ?? now : now)
            if restsUntil <= now {
                candidates.append((index, session, !place.probation.isOn, isChosen))
            } else {
                nextRested = min(nextRested ?? restsUntil, restsUntil)
            }
        }
        let trusted = candidates.filter(\.isTrusted)
        let best =
            trusted.first { $0.session.leasedCount == 0 } ?? candidates.first(where: \.isChosen)
            ?? trusted.min { $0.session.runningCount < $1.session.runningCount }
            ?? candidates.min { $0.session.runningCount < $1.session.runningCount }
        return best?.place
    }

    /// It failed the item before, and another worker is trusted at the station.
    private func mustAvoid(_ worker: WorkerInstance, _ item: ItemKey, at station: StationIndex) -> Bool {
        guard let failedBy = trays[item.order]?.failedBy(item.index), failedBy.contains(worker) else {
            return false
        }
        return stations[station.value].places.contains {
            $0.isServing && !$0.probation.isOn && !failedBy.contains($0.instance)
        }
    }

    /// - Returns: how many items it got: as many of one group as it can hold.
    private mutating func giveGroup(to place: Int, at station: StationIndex, now: Moment) -> Int {
        let examiner = stations[station.value].places[place]
        let room = min(examiner.capacity - examiner.leasedCount, examiner.probation.leaseCountMax)
        for _ in 0..<stations[station.value].suspects.groups.count {
            guard let group = stations[station.value].suspects.next() else { break }
            var givenCount = 0
            var left: [ItemKey] = []
            for item in group where isWaitingSuspect(item) {
                guard givenCount < room, canRun(item),
                    !mustAvoid(examiner.instance, item, at: station)
                else {
                    left.append(item)
                    continue
                }
                grant(item, at: station, place: place, now: now)
                givenCount += 1
            }
            if !left.isEmpty {
                if givenCount > 0 {
                    stations[station.value].suspects.putFirst(left)
                } else {
                    stations[station.value].suspects.putLast(left)
                }
            }
            if givenCount > 0 { return givenCount }
        }
        return 0
    }

    // MARK: Reserving

    /// The worker gets no ordinary items at any of its stations; one that was clearing for this station goes on.
    private mutating func reserve(
        _ connection: ConnectionID, for station: StationIndex, now: Instant
    ) {
        guard sessions[connection]?.examination == nil else { return }
        if let other = stations[station.value].suspects.examiner { unreserve(other) }
        stations[station.value].suspects.examiner = connection
        sessions[connection]?.examination = Examination(station: station, since: now, phase: .clearing)
        setReserved(connection, true)
    }

    private mutating func unreserve(_ connection: ConnectionID) {
        guard let examination = sessions[connection]?.examination else { return }
        sessions[connection]?.examination = nil
        if stations[examination.station.value].suspects.examiner == connection {
            stations[examination.station.value].suspects.examiner = nil
        }
        setReserved(connection, false)
    }

    private mutating func setReserved(_ connection: ConnectionID, _ isReserved: Bool) {
        for station in sessions[connection]?.stations ?? [] {
            guard let place = stations[station.value].placeIndex(of: connection) else { continue }
            stations[station.value].places[place].isReserved = isReserved
            markChanged(station)
        }
    }

    /// It says that it runs a suspect: that was apart, and so it stays, beside another examination if need be.
    mutating func resumeExamination(_ connection: ConnectionID, at station: StationIndex, now: Instant) {
        let other = stations[station.value].suspects.examiner
        if other.map({ sessions[$0]?.examination?.phase == .examining && $0 != connection }) ?? false {
            guard sessions[connection]?.examination == nil else { return }
            sessions[connection]?.examination = Examination(station: station, since: now, phase: .examining)
            setReserved(connection, true)
        } else {
            reserve(connection, for: station, now: now)
            sessions[connection]?.examination?.phase = .examining
        }
    }

    /// Workers whose last suspect has ended serve ordinary items again, for at least as long as they did not.
    mutating func endExaminations(now: Instant) {
        let freed = round.freedExaminers
        round.freedExaminers = []
        for connection in freed {
            guard let session = sessions[connection], session.runningCount == 0,
                let examination = session.examination, examination.phase == .examining
            else { continue }
            rest(examination, now: now)
            sessions[connection]?.restsUntil = stations[examination.station.value].suspects.restsUntil
            unreserve(connection)
        }
    }

    /// The worker of an examination is gone.
    mutating func abandonExamination(_ session: Session, _ connection: ConnectionID, now: Instant) {
        guard let examination = session.examination else { return }
        if examination.phase == .examining { rest(examination, now: now) }
        if stations[examination.station.value].suspects.examiner == connection {
            stations[examination.station.value].suspects.examiner = nil
        }
        markChanged(examination.station)
    }

    private mutating func rest(_ examination: Examination, now: Instant) {
        let span = examination.since.duration(to: now)
        stations[examination.station.value].suspects.restsUntil = now.advanced(by: span)
    }
}
