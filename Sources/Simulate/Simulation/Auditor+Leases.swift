import AssemblerCore
import OrderedCollections
import Wire

// Who holds what: followed from the messages that the assembler takes, and from what it says then.
extension Auditor {
    /// The assembler has handled one input.
    func handled(_ input: Input, _ step: Step) {
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
    func ticked(_ step: Step, now: Moment) {
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
    private func endSessions(_ actions: [Action]) {
        for action in actions {
            switch action {
            case .note(.workerLost(let name, let number, let count, let why)):
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
            case .note(.probationBegan(let worker, let station, _, _)):
                probations[worker, default: []].insert(station)
            case .note(.probationEnded(let worker, let station)):
                probations[worker]?.remove(station)
                if probations[worker]?.isEmpty == true { probations[worker] = nil }
            case .note(.workerLeft(let name, let number)):
                probations[name] = nil
                if let connection = connection(of: number) { endSession(connection) }
            case .tellWorker, .lease, .answer, .answerOutcomes, .answerTray, .answerList, .forget, .note:
                break
            }
        }
    }

    private func connection(of number: UInt64) -> ConnectionID? {
        sessions.first { $0.value.number == number }?.key
    }

    /// Those of claims of this round among them: a hello may be followed by its worker's end.
    private func leases(of connection: ConnectionID) -> [(LeaseID, Held)] {
        held.filter { $0.value.connection == connection }.sorted { $0.key < $1.key }.map {
            ($0.key, $0.value)
        }
            + claims.filter { $0.value.connection == connection }.map { ($0.key, $0.value) }
    }

    private func endSession(_ connection: ConnectionID) {
        for (lease, held) in leases(of: connection) {
            cameBack.insert(held.item)
            ended(lease)
        }
        sessions[connection] = nil
    }

    /// The lease is over: its place is free, and its slot, if it counted on it, waits.
    private func ended(_ lease: LeaseID) {
        claims[lease] = nil
        guard let held = held.removeValue(forKey: lease) else { return }
        sessions[held.connection]?.counts[held.station, default: 0] -= 1
        if current[held.item] == lease { returned.append(held.item) }
        dropCurrent(held.item, lease)
    }

    private func dropCurrent(_ item: ItemRef, _ lease: LeaseID? = nil) {
        guard let known = current[item], lease == nil || known == lease else { return }
        current[item] = nil
        currentCounts[item.order, default: 0] -= 1
    }

    private func setCurrent(_ item: ItemRef, _ lease: LeaseID) {
        returned.remove(item)
        steppedBack.remove(item)
        guard current.updateValue(lease, forKey: item) == nil else { return }
        currentCounts[item.order, default: 0] += 1
        if let record = records[item.order], isAtItsLimit(record) { record.turns.restEverywhere() }
    }

    private func noteSettled(_ changes: [Change]) {
        for change in changes {
            guard case .settled(let order, let outcomes) = change else { continue }
            for outcome in outcomes {
                let item = ItemRef(order: order, index: Int(outcome.index))
                dropCurrent(item)
                returned.remove(item)
            }
        }
    }

    // MARK: What workers say

    private func said(_ message: WorkerMessage, by connection: ConnectionID, _ step: Step) {
        switch message.body {
        case .hello(let hello):
            for case .tellWorker(connection, .welcome(let welcome)) in step.actions {
                greeted(hello, connection, welcome)
            }
        case .results(let batch):
            for result in batch.results { ended(by: result) }
        case .credit(let report):
            guard sessions[connection]?.number == message.session,
                report.stations.allSatisfy({ sessions[connection]?.capacities[$0.station] != nil })
            else { return }
            if report.draining { sessions[connection]?.isDraining = true }
            for offer in report.stations {
                sessions[connection]?.capacities[offer.station] = Int(offer.capacity)
            }
        case .heartbeat, .started, .farewell, nil: break
        }
    }

    private func greeted(
        _ hello: WorkerHello, _ connection: ConnectionID, _ welcome: WorkerWelcome
    ) {
        let known = sessions.values.map(\.number).max() ?? 0
        expect(welcome.session > known, "session \(welcome.session) is welcomed after \(known)")
        expect(
            hello.versions.lowest <= welcome.version && welcome.version <= hello.versions.highest,
            "version \(welcome.version) is not one of the worker's")
        var session = Session(
            number: welcome.session, name: welcome.name,
            instance: WorkerInstance(bytes: Array(hello.instance)), capacities: [:])
        for offer in hello.stations { session.capacities[offer.station] = Int(offer.capacity) }
        sessions[connection] = session
        for claim in hello.running + hello.held {
            guard let order = OrderID(claim.order), mayHaveBeenGiven(claim.lease), held[claim.lease] == nil,
                claims[claim.lease] == nil
            else { continue }
            let item = ItemRef(order: order, index: Int(claim.index))
            let items = records[order]?.items ?? []
            let station = items.indices.contains(item.index) ? items[item.index].station : ""
            claims[claim.lease] = Held(item: item, station: station, connection: connection)
            cameBack.insert(item)
        }
    }

    private func mayHaveBeenGiven(_ lease: LeaseID) -> Bool {
        lease.number > 0
            && (lease.incarnation < incarnation
                || lease.incarnation == incarnation && lease.number <= youngestLease.number)
    }

    /// A result is judged by its lease alone.
    private func ended(by result: ItemResult) {
        results[result.lease, default: []].append(result)
        guard let order = OrderID(result.order), mayHaveBeenGiven(result.lease) else { return }
        let item = ItemRef(order: order, index: Int(result.index))
        guard let lease = held[result.lease] ?? claims[result.lease], lease.item == item else { return }
        if case .returned(let returned) = result.ending, returned.reason == .unsupported {
            if sessions[lease.connection]?.capacities[lease.station] != nil {
                sessions[lease.connection]?.capacities[lease.station] = 0
            }
        }
        switch result.ending {
        case .done, .failed: break
        case .returned, nil: cameBack.insert(item)
        }
        ended(result.lease)
    }

    // MARK: What the assembler says

    private func revoked(_ revoke: Revoke, at connection: ConnectionID) {
        if var claim = claims.removeValue(forKey: revoke.lease) {
            guard claim.connection == connection else { return claims[revoke.lease] = claim }
            // It takes a place where its worker has one for it.
            guard revoke.reason != .unknown, serves(claim) else { return }
            claim.isRevoked = true
            hold(revoke.lease, claim)
        } else if held[revoke.lease]?.connection == connection {
            held[revoke.lease]?.isRevoked = true
            if let item = held[revoke.lease]?.item { dropCurrent(item, revoke.lease) }
        }
    }

    private func serves(_ claim: Held) -> Bool {
        sessions[claim.connection]?.capacities[claim.station] != nil
    }

    private func hold(_ lease: LeaseID, _ new: Held) {
        held[lease] = new
        sessions[new.connection]?.counts[new.station, default: 0] += 1
    }

    /// Claims that were not answered with a revocation hold from here on.
    private func takeUpClaims() {
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
            records[claim.item.order]?.turns.tried(claim.item.index, record.items)
        }
    }

    private func granted(_ grant: Grant, to connection: ConnectionID, now: Moment) {
        let item = ItemRef(order: grant.order, index: grant.index)
        // Told only where something is wrong.
        var name: String { "\(grant.lease.text) of \(item.text)" }
        expect(youngestLease < grant.lease, "\(name) is given after \(youngestLease.text)")
        expect(grant.lease.incarnation == incarnation, "\(name) is of another incarnation")
        youngestLease = max(youngestLease, grant.lease)
        expect(
            current[item] == nil,
            "\(name) is given while \(current[item]?.text ?? "") is current: two leases of one item")
        guard let session = sessions[connection], let capacity = session.capacities[grant.station] else {
            return blame("\(name) is given to a worker that does not serve \(grant.station)")
        }
        expect(!session.isDraining, "\(name) is given to a worker that drains")
        expect(
            session.counts[grant.station, default: 0] < capacity,
            "\(name) is given to a worker with \(session.counts[grant.station, default: 0]) leases "
                + "and places for \(capacity): a place is invented")
        checkTrust(in: session, connection, with: item, at: grant.station)
        hold(grant.lease, Held(item: item, station: grant.station, connection: connection))
        setCurrent(item, grant.lease)
        let hasLosses = records[item.order]?.losses[item.index] != nil
        grantedNow.append((grant, hasLosses || cameBack.contains(item), now))
    }

    /// Who failed an item gets it again only where nobody else is trusted; who is on probation has one lease.
    private func checkTrust(
        in session: Session, _ connection: ConnectionID, with item: ItemRef, at station: String
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
        guard let failedBy = records[item.order]?.failedBy[item.index], failedBy.contains(session.instance)
        else { return }
        let other = sessions.values.first {
            !$0.isDraining && $0.capacities[station, default: 0] > 0 && !isOnProbation($0, at: station)
                && !failedBy.contains($0.instance)
        }
        if let other {
            blame("\(item.text) is given to \(session.name), which failed it, and \(other.name) lives")
        }
    }

    private func isOnProbation(_ session: Session, at station: String) -> Bool {
        probations[session.name]?.contains(station) == true
    }
}
