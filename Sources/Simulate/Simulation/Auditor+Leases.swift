import AssemblerCore
import OrderedCollections
import Wire

// Who holds what: followed from the messages that the assembler takes, and from what it says then.
extension Auditor {
    /// The assembler has handled one input.
    mutating func handled(_ input: Input, _ step: Step) {
        countInput()
        endSessions(step.actions)
        switch input {
        case .worker(let connection, let message): said(message, by: connection, step)
        case .producer, .malformed, .handshakeFailed, .disconnected, .unreachable, .committed, .storeIsShort:
            break
        }
        noteSettled(step.changes)
    }

    /// The round's tick: what it has gathered goes out.
    mutating func ticked(_ step: Step, now: Moment) {
        // Workers have one heartbeat limit from the first round on, however long it took to get there.
        for order in restoredOrders {
            records[order]?.waitsUntil = now.instant.advanced(by: plan.configuration.silenceMax)
        }
        restoredOrders = []
        endSessions(step.actions)
        noteSettled(step.changes)
        for action in step.actions {
            guard case .tellWorker(let connection, .revokes(let batch)) = action else { continue }
            for revoke in batch.revokes { revoked(revoke, at: connection) }
        }
        takeUpClaims()
        for action in step.actions {
            guard case .lease(let connection, let grant) = action else { continue }
            granted(grant, to: connection, now: now)
        }
    }

    // MARK: Sessions

    /// Whoever is lost, or leaves, holds nothing any more.
    private mutating func endSessions(_ actions: [Action]) {
        for case .note(let note) in actions {
            switch note {
            case .workerLost(let name, let number, let count, let why):
                probations[name] = nil
                guard let connection = connection(of: number) else {
                    blame("session \(number) is lost, and there is none")
                    continue
                }
                let leases = leases(of: connection)
                // What came of a claim of this round is told at its end: then the core's own count has to do.
                let claimCount = claims.values.count { $0.connection == connection }
                expect(
                    (leases.count - claimCount...leases.count).contains(count),
                    "session \(number) is lost with \(count) leases, and holds \(leases.count)")
                if why == .disconnected || why == .silent {
                    for (lease, held) in leases where !held.isRevoked { lostNow[lease] = (held, count == 1) }
                }
                endSession(connection)
            case .probationBegan(let worker, let station, _, _):
                probations[worker, default: []].insert(station)
            case .probationEnded(let worker, let station):
                probations[worker]?.remove(station)
                if probations[worker]?.isEmpty == true { probations[worker] = nil }
            case .workerLeft(let name, let number):
                probations[name] = nil
                if let connection = connection(of: number) { endSession(connection) }
            default: break
            }
        }
    }

    private func connection(of number: UInt64) -> ConnectionID? {
        sessions.first { $0.value.number == number }?.key
    }

    /// Those of claims of this round among them: a hello may be followed by its worker's end.
    private func leases(of connection: ConnectionID) -> [(LeaseKey, Held)] {
        held.filter { $0.value.connection == connection }.sorted { $0.key < $1.key }.map {
            ($0.key, $0.value)
        }
            + claims.filter { $0.value.connection == connection }.map { ($0.key, $0.value) }
    }

    private mutating func endSession(_ connection: ConnectionID) {
        for (lease, held) in leases(of: connection) {
            cameBack.insert(held.item)
            ended(lease)
        }
        sessions[connection] = nil
    }

    /// The lease is over: its place is free, and its slot, if it counted on it, waits.
    private mutating func ended(_ lease: LeaseKey) {
        if !claims.isEmpty { claims[lease] = nil }
        guard let held = held.removeValue(forKey: lease) else { return }
        sessions[held.connection]?.release(at: held.station)
        guard current[held.item] == lease else { return }
        returned.append(held.item)
        current.remove(held.item)
    }

    private mutating func setCurrent(_ item: ItemRef, _ lease: LeaseKey) {
        cameNotBack(item)
        steppedBack.remove(item)
        guard current.set(lease, for: item) == nil else { return }
        if let record = records[item.order], isAtItsLimit(record) { record.turns.restEverywhere() }
    }

    private mutating func cameNotBack(_ item: ItemRef) {
        // Few do, and each is hashed.
        if !returned.isEmpty { returned.remove(item) }
    }

    private mutating func noteSettled(_ changes: [Change]) {
        for change in changes {
            guard case .settled(let order, let outcomes) = change else { continue }
            // Read where they stand: to walk over them would copy each.
            for position in outcomes.indices {
                let item = ItemRef(order: order, index: Int(outcomes[position].index))
                current.remove(item)
                cameNotBack(item)
            }
        }
    }

    // MARK: What workers say

    private mutating func said(_ message: WorkerMessage, by connection: ConnectionID, _ step: Step) {
        switch message.body {
        case .hello(let hello):
            for case .tellWorker(connection, .welcome(let welcome)) in step.actions {
                greeted(hello, connection, welcome)
            }
        case .results(let batch):
            for position in batch.results.indices { ended(by: batch.results[position]) }
        case .credit(let report):
            guard let session = sessions[connection], session.number == message.session else { return }
            let offers = report.stations.map { ($0.capacity, stations.number(of: $0.station)) }
            guard offers.allSatisfy({ session.serves($0.1) }) else { return }
            if report.draining { session.isDraining = true }
            for (capacity, station) in offers { session.offer(Int(capacity), at: station) }
        case .heartbeat, .started, .farewell, nil: break
        }
    }

    private mutating func greeted(
        _ hello: WorkerHello, _ connection: ConnectionID, _ welcome: WorkerWelcome
    ) {
        let known = sessions.values.map(\.number).max() ?? 0
        expect(welcome.session > known, "session \(welcome.session) is welcomed after \(known)")
        expect(
            hello.versions.lowest <= welcome.version && welcome.version <= hello.versions.highest,
            "version \(welcome.version) is not one of the worker's")
        let session = Session(
            number: welcome.session, name: welcome.name,
            instance: WorkerInstance(bytes: Array(hello.instance)))
        for offer in hello.stations {
            session.offer(Int(offer.capacity), at: stations.number(of: offer.station))
        }
        sessions[connection] = session
        for claim in hello.running + hello.held {
            let lease = LeaseKey(claim.lease)
            guard let order = OrderID(claim.order), mayHaveBeenGiven(lease), held[lease] == nil,
                claims[lease] == nil
            else { continue }
            let item = ItemRef(order: order, index: Int(claim.index))
            let items = records[order]?.items ?? []
            let station = items.indices.contains(item.index) ? items[item.index].station : ""
            claims[lease] = Held(item: item, station: stations.number(of: station), connection: connection)
            cameBack.insert(item)
        }
    }

    private func mayHaveBeenGiven(_ lease: LeaseKey) -> Bool {
        lease.number > 0
            && (lease.incarnation < incarnation
                || lease.incarnation == incarnation && lease.number <= youngestLease.number)
    }

    /// A result is judged by its lease alone.
    private mutating func ended(by result: ItemResult) {
        let key = LeaseKey(result.lease)
        if let brought = results.updateValue(Brought(last: result), forKey: key) {
            results[key]?.before = brought.before + [brought.last]
        }
        guard let order = OrderID(result.order), mayHaveBeenGiven(key) else { return }
        let item = ItemRef(order: order, index: Int(result.index))
        guard let lease = held[key] ?? claims[key], lease.item == item else { return }
        switch result.ending {
        case .done, .failed: break
        case .returned(let returned):
            if returned.reason == .unsupported, let session = sessions[lease.connection],
                session.serves(lease.station)
            {
                session.offer(0, at: lease.station)
            }
            cameBack.insert(item)
        case nil: cameBack.insert(item)
        }
        ended(key)
    }

    // MARK: What the assembler says

    private mutating func revoked(_ revoke: Revoke, at connection: ConnectionID) {
        let lease = LeaseKey(revoke.lease)
        if var claim = claims.removeValue(forKey: lease) {
            guard claim.connection == connection else { return claims[lease] = claim }
            // It takes a place where its worker has one for it.
            guard revoke.reason != .unknown, serves(claim) else { return }
            claim.isRevoked = true
            hold(lease, claim)
        } else if let known = held[lease], known.connection == connection {
            held[lease]?.isRevoked = true
            if current[known.item] == lease { current.remove(known.item) }
        }
    }

    private func serves(_ claim: Held) -> Bool {
        sessions[claim.connection]?.serves(claim.station) ?? false
    }

    private mutating func hold(_ lease: LeaseKey, _ new: Held) {
        held[lease] = new
        sessions[new.connection]?.hold(at: new.station)
    }

    /// Claims that were not answered with a revocation hold from here on.
    private mutating func takeUpClaims() {
        guard !claims.isEmpty else { return }
        let taken = claims
        claims = [:]
        for (lease, claim) in taken {
            guard serves(claim), let record = records[claim.item.order], !record.isSettled(claim.item.index)
            else {
                blame("\(claim.item.text) is claimed under \(lease.text), in vain, and no answer is given")
                continue
            }
            hold(lease, claim)
            if let older = current[claim.item] {
                expect(
                    held[older]?.isRevoked ?? true,
                    "\(claim.item.text) is adopted under \(lease.text), and \(older.text) was not revoked")
            }
            setCurrent(claim.item, lease)
            record.turns.tried(claim.item.index)
        }
    }

    private mutating func granted(_ grant: Grant, to connection: ConnectionID, now: Moment) {
        let item = ItemRef(order: grant.order, index: grant.index)
        // Told only where something is wrong.
        var name: String { "\(grant.lease.text) of \(item.text)" }
        let lease = LeaseKey(grant.lease)
        expect(youngestLease < lease, "\(name) is given after \(youngestLease.text)")
        expect(lease.incarnation == incarnation, "\(name) is of another incarnation")
        youngestLease = max(youngestLease, lease)
        expect(
            current[item] == nil,
            "\(name) is given while \(current[item]?.text ?? "") is current: two leases of one item")
        let station = stations.number(of: grant.station)
        guard let session = sessions[connection], let places = session.places(at: station) else {
            return blame("\(name) is given to a worker that does not serve \(grant.station)")
        }
        expect(!session.isDraining, "\(name) is given to a worker that drains")
        expect(
            !places.isFull,
            "\(name) is given to a worker with \(places.heldCount) leases "
                + "and places for \(places.capacity): a place is invented")
        let record = records[item.order]
        checkTrust(in: session, connection, with: item, of: record, at: station)
        hold(lease, Held(item: item, station: station, connection: connection))
        setCurrent(item, lease)
        let hasLosses = record?.losses[item.index] != nil
        grantedNow.append((grant, station, hasLosses || cameBack.contains(item), now))
    }

    /// Who failed an item gets it again only where nobody else is trusted; who is on probation has one lease.
    private func checkTrust(
        in session: Session, _ connection: ConnectionID, with item: ItemRef, of record: Record?,
        at station: Int
    ) {
        if isOnProbation(session, at: station) {
            let others = held.filter {
                $0.value.connection == connection && $0.value.station == station && !$0.value.isRevoked
            }
            expect(
                others.isEmpty,
                "\(item.text) is given to \(session.name), which is on probation and has "
                    + "\(others.count) leases")
        }
        guard let failedBy = record?.failedBy[item.index], failedBy.contains(session.instance) else { return }
        let other = sessions.values.first {
            !$0.isDraining && ($0.places(at: station)?.capacity ?? 0) > 0
                && !isOnProbation($0, at: station) && !failedBy.contains($0.instance)
        }
        if let other {
            blame("\(item.text) is given to \(session.name), which failed it, and \(other.name) lives")
        }
    }

    private func isOnProbation(_ session: Session, at station: Int) -> Bool {
        !probations.isEmpty && probations[session.name]?.contains(stations.names[station]) == true
    }
}
