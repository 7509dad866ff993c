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
        guard isAlone, trays[item.order]?.isConvicted(item.index) == true else { return }
        convict(held, by: session, now: now)
    }

    private mutating func convict(_ held: HeldLease, by session: Session, now: Moment) {
        let item = held.item
        let lossCount = Int(trays[item.order]?.slots[item.index].lossesInRow ?? 0)
        let workers = (trays[item.order]?.losses.of(item.index) ?? []).suffix(lossCount).map(\.worker)
        let error = ItemError.with {
            $0.kind = .poisoned
            $0.message =
                "\(lossCount) workers ended while they ran it, the last of them with nothing else to do: "
                + workers.joined(separator: ", ")
            $0.message = $0.message.clipped(toBytes: Limits.errorMessageBytesMax)
        }
        counters.poisonedCount += 1
        note(.itemPoisoned(item.order, index: item.index, workers: workers))
        settle(
            item, .poisoned, result: nil, error: error, worker: session.name, startedAt: held.leasedAt.wall,
            now: now)
    }

    mutating func remember(_ loss: Losses.Loss, of item: ItemKey) {
        if let forgotten = trays[item.order]?.losses.add(loss, to: item.index) { forget(forgotten, of: item) }
        lossesByWorker[loss.instance, default: []].insert(item)
    }

    /// A settled item is nobody's suspect: a worker that was kept free for it may go on.
    mutating func forgetLosses(of item: ItemKey, at station: StationIndex) {
        let losses = trays[item.order]?.losses.forget(item.index) ?? []
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
                round.step.changes.append(.lossTakenBack(order: item.order, index: item.index, lease.id))
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
        let suspects = round.suspects
        round.suspects = [:]
        for (station, items) in suspects {
            stations[station.value].suspects.add(items.filter(isWaitingSuspect)) { item in
                trays[item.order]?.losses.of(item.index).last?.instance
            }
            markChanged(station)
        }
    }

    /// Unsettled suspects of a station.
    func suspectCount(at station: StationIndex) -> Int {
        let queue = stations[station.value].suspects
        var suspects = Set(queue.groups.joined().filter(isWaitingSuspect))
        if let examiner = queue.examiner {
            suspects.formUnion(
                heldLeases(of: examiner).filter { $0.state == .running }.map(\.item).filter(isSuspect))
        }
        return suspects.count
    }

    // MARK: Examinations

    /// Gives the next group to a worker that holds nothing, or reserves one until it does.
    mutating func examine(at station: StationIndex, now: Moment) {
        let examiner = stations[station.value].suspects.examiner
        if let examiner, sessions[examiner]?.examination?.phase == .examining { return }
        dropSettledGroups(at: station)
        guard let item = stations[station.value].suspects.groups.lazy.joined().first(where: canRun),
            let place = chooseExaminer(for: item, at: station, now: now.instant)
        else {
            if let examiner { unreserve(examiner) }
            return
        }
        let connection = stations[station.value].places[place].connection
        reserve(connection, for: station, phase: .clearing, now: now.instant)
        guard sessions[connection]?.leasedCount == 0 else { return }
        let itemCount = giveGroup(to: place, at: station, now: now)
        precondition(itemCount > 0, "\(item) can run, and no group had anything to give")
        sessions[connection]?.examination?.phase = .examining
        note(
            .examinationBegan(
                worker: sessions[connection]?.name ?? "", station: stations[station.value].name,
                items: itemCount))
    }

    /// Groups whose items have all moved on are not looked at again.
    private mutating func dropSettledGroups(at station: StationIndex) {
        while let group = stations[station.value].suspects.groups.first,
            !group.contains(where: isWaitingSuspect)
        {
            _ = stations[station.value].suspects.next()
        }
    }

    private func canRun(_ item: ItemKey) -> Bool {
        isWaitingSuspect(item) && trays[item.order]?.mayLease == true
    }

    /// A worker that holds nothing, if there is one; else the one that has begun to clear goes on; else whoever
    /// holds the least.
    private mutating func chooseExaminer(
        for item: ItemKey, at station: StationIndex, now: Instant
    ) -> Int? {
        let queue = stations[station.value].suspects
        let places = stations[station.value].places
        let isOnlyOne = places.count(where: \.isServing) == 1
        var candidates: [(place: Int, leasedCount: Int, isTrusted: Bool, isChosen: Bool)] = []
        var nextRested: Instant?
        for (index, place) in places.enumerated() {
            let isChosen = queue.examiner == place.connection
            guard place.isServing, !mustAvoid(place.instance, item, at: station),
                let session = sessions[place.connection], session.examination == nil || isChosen
            else { continue }
            let restsUntil = max(session.restsUntil ?? now, isOnlyOne ? queue.restsUntil ?? now : now)
            if restsUntil <= now {
                candidates.append((index, session.leasedCount, !place.probation.isOn, isChosen))
            } else {
                nextRested = min(nextRested ?? restsUntil, restsUntil)
            }
        }
        let idle = candidates.filter { $0.leasedCount == 0 }
        let best =
            idle.first(where: \.isTrusted) ?? idle.first ?? candidates.first(where: \.isChosen)
            ?? candidates.min { $0.leasedCount < $1.leasedCount }
        if best == nil, let nextRested, queue.alarm != nextRested {
            stations[station.value].suspects.alarm = nextRested
            timers.set(.examinationDue(station), at: nextRested)
        }
        return best?.place
    }

    /// It failed the item before, and another worker of the station lives.
    private func mustAvoid(_ worker: WorkerInstance, _ item: ItemKey, at station: StationIndex) -> Bool {
        guard let failedBy = trays[item.order]?.failedBy(item.index), failedBy.contains(worker) else {
            return false
        }
        return stations[station.value].places.contains { $0.isServing && !failedBy.contains($0.instance) }
    }

    /// - Returns: how many items it got: as many of one group as it can hold.
    private mutating func giveGroup(to place: Int, at station: StationIndex, now: Moment) -> Int {
        let examiner = stations[station.value].places[place]
        for _ in 0..<stations[station.value].suspects.groups.count {
            guard let group = stations[station.value].suspects.next() else { break }
            var givenCount = 0
            var left: [ItemKey] = []
            for item in group where isWaitingSuspect(item) {
                guard givenCount < examiner.capacity, canRun(item),
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

    /// The worker gets no ordinary items at any of its stations.
    private mutating func reserve(
        _ connection: ConnectionID, for station: StationIndex, phase: Examination.Phase, now: Instant
    ) {
        guard sessions[connection]?.examination == nil else { return }
        if let other = stations[station.value].suspects.examiner { unreserve(other) }
        stations[station.value].suspects.examiner = connection
        sessions[connection]?.examination = Examination(station: station, since: now, phase: phase)
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

    /// It runs a suspect that an earlier incarnation gave it: that was apart, and so it stays.
    mutating func resumeExamination(_ connection: ConnectionID, at station: StationIndex, now: Instant) {
        reserve(connection, for: station, phase: .examining, now: now)
        sessions[connection]?.examination?.phase = .examining
    }

    /// Workers whose last suspect has ended serve ordinary items again, for at least as long as they did not.
    mutating func endExaminations(now: Instant) {
        let freed = round.freedExaminers
        round.freedExaminers = []
        for connection in freed {
            guard let session = sessions[connection], session.leasedCount == 0,
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
