import Wire

// Workers come, go and say how they are.
extension AssemblerMachine {
    mutating func worker(_ connection: ConnectionID, _ message: consuming WorkerMessage, now: Moment) {
        let session = message.session
        if case .results = message.body {
            // Judged by their leases alone, whatever became of the session that brings them. Read where they stand: to
            // walk over them would copy each.
            let results = message.results.results
            for index in results.indices { receive(results, at: index, from: connection, now: now) }
            _ = isHeard(connection, session, now: now)
            return
        }
        switch message.body.take() {
        case .hello(let hello): greet(connection, hello, now: now)
        case let body:
            if isHeard(connection, session, now: now) { take(body, from: connection, now: now) }
        }
    }

    /// Whether this session is the one of the connection; else it is refused.
    private mutating func isHeard(_ connection: ConnectionID, _ session: UInt64, now: Moment) -> Bool {
        if sessions.visit(connection, { $0.heard(session, now.instant) }) == true { return true }
        refuse(
            connection, request: nil, .session,
            "session \(session) is not known on this connection; say hello on a fresh socket")
        return false
    }

    private mutating func take(_ body: WorkerMessage.OneOf_Body?, from connection: ConnectionID, now: Moment)
    {
        switch body {
        case .heartbeat: round.step.actions.append(.tellWorker(connection, .heartbeat(Heartbeat())))
        case .credit(let report): setCredit(connection, report)
        case .started(let report):
            for lease in report.leases { leases[LeaseKey(lease)]?.hasStarted = true }
        case .farewell: connectionLeft(connection, now: now.instant)
        case .hello, .results: break
        case nil: malformed(connection, .kitchen, .unknownBody)
        }
    }

    // MARK: Hello

    private mutating func greet(_ connection: ConnectionID, _ hello: WorkerHello, now: Moment) {
        guard let version = Frames.commonVersion(with: hello.versions) else {
            return refuse(connection, request: nil, .version, versionMessage(hello.versions))
        }
        if let complaint = complaint(about: hello) {
            return refuse(connection, request: nil, .malformed, complaint)
        }
        let instance = WorkerInstance(bytes: Array(hello.instance))
        let isKnown = sessions.contains(connection)
        let replaced = sessions.elements.filter { $0.value.instance == instance || $0.key == connection }
        for (other, _) in replaced.sorted(by: { $0.value.number < $1.value.number }) {
            endSession(other, .replaced, now: now)
        }
        takeBackLosses(of: instance)
        let stationIndexes = hello.stations.map { station(named: $0.station) }
        let session = Session(
            number: newSessionNumber(), hello: hello, name: freeName(hello.name), stations: stationIndexes,
            now: now)
        sessions[connection] = session
        for (index, offered) in zip(stationIndexes, hello.stations) {
            stations[index.value].places.append(
                Station.Place(
                    connection: connection, instance: instance,
                    sessionPosition: sessions.position(of: connection),
                    capacity: Int(offered.capacity)))
            markChanged(index)
        }
        welcome(connection, session, version: version)
        var adoptedCount = 0
        for claim in hello.running + hello.held where adopt(claim, by: connection, now: now) {
            adoptedCount += 1
        }
        if !isKnown {
            timers.set(.workerSilence(connection), at: now.instant.advanced(by: silenceMax))
        }
        keepPulse(now: now.instant)
        note(.workerJoined(name: session.name, session: session.number, adopted: adoptedCount))
    }

    private mutating func welcome(_ connection: ConnectionID, _ session: Session, version: UInt32) {
        let welcome = WorkerWelcome.with {
            $0.version = version
            $0.session = session.number
            $0.incarnation = incarnation
            $0.name = session.name
            $0.heartbeatIntervalMs = UInt32(configuration.heartbeatInterval.milliseconds)
            $0.heartbeatLimit = UInt32(configuration.heartbeatLimit)
            $0.contentBytesMax = UInt64(Limits.contentBytesMax)
            $0.messageBytesMax = UInt64(Limits.messageBytesMax)
        }
        round.step.actions.append(.tellWorker(connection, .welcome(welcome)))
    }

    func versionMessage(_ theirs: VersionRange) -> String {
        let ours = Frames.versions
        return "no common protocol version: the assembler speaks \(ours.lowest) to \(ours.highest), "
            + "the peer \(theirs.lowest) to \(theirs.highest); upgrade the older one"
    }

    private func complaint(about hello: WorkerHello) -> String? {
        guard Label.isValid(hello.name) else {
            return "a worker's name is 1 to \(Limits.labelBytesMax) letters, digits, '.', '_' and '-'"
        }
        guard hello.instance.count == 16 else { return "a worker's instance id has 16 bytes" }
        guard (1...Limits.stationCountMax).contains(hello.stations.count) else {
            return "a worker serves 1 to \(Limits.stationCountMax) stations, not \(hello.stations.count)"
        }
        if let bad = hello.stations.first(where: { !Label.isValid($0.station) }) {
            return "'\(bad.station.prefix(80))' is no station's name: 1 to \(Limits.labelBytesMax) letters, "
                + "digits, '.', '_' and '-'"
        }
        guard Set(hello.stations.map(\.station)).count == hello.stations.count else {
            return "a worker names each of its stations once"
        }
        let capacity = hello.stations.reduce(0) { $0 + Int($1.capacity) }
        guard capacity <= Limits.workerCapacityMax else {
            return "a worker holds at most \(Limits.workerCapacityMax) leases, not \(capacity)"
        }
        return nil
    }

    /// The name, with a suffix where a live worker has it already.
    private func freeName(_ name: String) -> String {
        let taken = Set(sessions.values.map(\.name))
        guard taken.contains(name) else { return name }
        var suffix = 2
        while taken.contains("\(name)-\(suffix)") { suffix += 1 }
        return "\(name)-\(suffix)"
    }

    // MARK: Claims

    /// A worker says that it has this lease.
    /// - Returns: whether the item's slot counts on it from here on; else the worker is told to stop.
    private mutating func adopt(_ claim: Claim, by connection: ConnectionID, now: Moment) -> Bool {
        let key = LeaseKey(claim.lease)
        guard let order = OrderID(claim.order), mayHaveGiven(key), leases[key] == nil else { return false }
        let item = ItemKey(order: order, index: Int(claim.index))
        guard let state = trays[order]?.state(of: item.index), let kind = trays[order]?.kind(of: item.index),
            let attempt = trays[order]?.slots[item.index].endedAttemptCount
        else {
            sendRevoke(key, to: connection, .unknown)
            return false
        }
        guard let place = stations[kind.station.value].placeIndex(of: connection) else {
            sendRevoke(key, to: connection, .superseded)
            return false
        }
        stations[kind.station.value].places[place].leasedCount += 1
        sessions[connection]?.leasedCount += 1
        var held = HeldLease(
            key: key, item: item, station: kind.station, connection: connection, place: place,
            positions: .init(tray: trays.position(of: order), session: sessions.position(of: connection)),
            attempt: attempt + 1, leasedAt: now)
        held.hasStarted = claim.started
        leases[key] = held
        guard trays[order]?.hasFailed(item.index, under: key) != true else {
            // Its failure is known, and its acknowledgement was lost: the repeated report will be late.
            revoke(key, .superseded)
            return false
        }
        if trays[order]?.lease(item.index, key) != nil {
            stations[kind.station.value].leasedCount += 1
        } else if let older = trays[order]?.supersede(item.index, by: key) {
            revoke(older, .superseded)
        } else {
            if case .settled = state { revoke(key, .settled) } else { revoke(key, .superseded) }
            return false
        }
        if isSuspect(item) { resumeExamination(connection, at: kind.station, now: now.instant) }
        armTimeout(key, nanoseconds: kind.timeout.nanoseconds, now: now.instant)
        return true
    }

    // MARK: Credit

    private mutating func setCredit(_ connection: ConnectionID, _ report: CreditReport) {
        let offers = report.stations.compactMap { offered in
            place(of: connection, at: offered.station).map { ($0.station, $0.place, Int(offered.capacity)) }
        }
        guard offers.count == report.stations.count else {
            return refuse(
                connection, request: nil, .malformed,
                "a credit report names stations of the worker's hello, and no others")
        }
        if report.draining { sessions[connection]?.drain() }
        for (index, place, capacity) in offers {
            stations[index.value].places[place].capacity = min(capacity, Limits.workerCapacityMax)
            markChanged(index)
        }
        guard report.draining, let session = sessions[connection] else { return }
        for index in session.stations {
            guard let place = stations[index.value].placeIndex(of: connection) else { continue }
            stations[index.value].places[place].isDraining = true
            // An item that waited for this worker may go to another now.
            markChanged(index)
        }
    }

    private func place(
        of connection: ConnectionID, at name: String
    ) -> (station: StationIndex, place: Int)? {
        guard let index = stationIndexes[name] else { return nil }
        return stations[index.value].placeIndex(of: connection).map { (index, $0) }
    }

    // MARK: Leaving

    mutating func connectionClosed(_ connection: ConnectionID, _ reason: LossReason, now: Moment) {
        producers[connection] = nil
        endSession(connection, reason, now: now)
        round.forgotten.append(connection)
    }

    private mutating func connectionLeft(_ connection: ConnectionID, now: Instant) {
        guard let session = sessions[connection] else { return }
        takeAwayPlaces(connection, session, now: now)
        for held in heldLeases(of: connection) { giveBack(held) }
        note(.workerLeft(name: session.name, session: session.number))
        round.forgotten.append(connection)
    }

    mutating func workerSilent(_ connection: ConnectionID, drained: Bool, now: Moment) {
        guard let session = sessions[connection] else { return }
        let limit = session.lastHeard.advanced(by: silenceMax)
        guard now.instant >= limit, drained else {
            // It was heard meanwhile, or may be in what is not read yet.
            let again = max(limit, now.instant.advanced(by: .milliseconds(1)))
            return timers.set(.workerSilence(connection), at: again)
        }
        connectionClosed(connection, .silent, now: now)
    }

    /// Its leases go back: the attempts that it held are all that its end costs.
    private mutating func endSession(_ connection: ConnectionID, _ reason: LossReason, now: Moment) {
        guard let session = sessions[connection] else { return }
        takeAwayPlaces(connection, session, now: now.instant)
        let held = heldLeases(of: connection)
        for lease in held {
            if reason.counts, mayHaveEndedIt(lease, session) {
                lose(lease, with: session, isAlone: held.count == 1, now: now)
            } else {
                giveBack(lease)
            }
        }
        if reason != .replaced { counters.workerLostCount += 1 }
        note(.workerLost(name: session.name, session: session.number, leases: held.count, why: reason))
    }

    /// A handler that had begun may be what ended its worker; one that had not can do nothing (FM-35). A
    /// suspect that runs apart had begun, whether there was time to say so or not.
    private mutating func mayHaveEndedIt(_ held: HeldLease, _ session: Session) -> Bool {
        guard held.state == .running else { return false }
        return held.hasStarted || session.examination?.phase == .examining && isSuspect(held.item)
            || trays[held.item.order]?.losses.countsUnseen(held.item.index) == true
    }

    private mutating func takeAwayPlaces(
        _ connection: ConnectionID, _ session: Session, now: Instant
    ) {
        sessions[connection] = nil
        for index in session.stations {
            stations[index.value].places.removeAll { $0.connection == connection }
            markChanged(index)
        }
        abandonExamination(session, connection, now: now)
    }

    /// In the order in which they were given.
    func heldLeases(of connection: ConnectionID) -> [HeldLease] {
        leases.values.filter { $0.connection == connection }.sorted { $0.key < $1.key }
    }
}
