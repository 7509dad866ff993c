import OrderedCollections
import Wire

/// The worker as a pure state machine: its session with the assembler, the leases that it runs, the results
/// that it holds, and its departure.
///
/// The shell hands over what has happened with `handle`, calls `tick` after each batch of inputs and at
/// `nextDeadline`, and performs the actions of both in their order. What one batch of inputs produces goes
/// out together, in `tick`.
public struct WorkerMachine: Sendable {
    private let name: String
    private let instance: [UInt8]
    private let program: String
    private let stations: OrderedDictionary<String, ServedStation>
    private let drainTimeout: Duration

    private var session = Session()
    private var departure = Departure()
    private var running: [LeaseKey: RunningLease] = [:]
    private var timeouts = Timeouts()
    private var held = HeldResults()
    /// The bytes that a result may have: the welcome says it.
    public private(set) var contentBytesMax = Limits.contentBytesMax
    /// Begun since the last tick.
    private var unreportedStarts: [LeaseID] = []
    /// The capacities that the assembler knows are not those of now.
    private var isCreditStale = false
    private var isOver = false

    /// - Parameters:
    ///   - name: for people; 1 to 64 letters, digits, '.', '_' and '-'.
    ///   - instance: 16 random bytes, drawn once per process.
    ///   - stations: 1 to 1,000 of different names, at most 65,536 leases together.
    ///   - drainTimeout: how long running handlers may go on after `drain`.
    ///   - program: name and version, for people.
    public init(
        name: String, instance: [UInt8], stations: [ServedStation], drainTimeout: Duration, program: String,
        now: Moment
    ) {
        precondition(Label.isValid(name), "not a worker's name: \(name)")
        precondition(instance.count == 16, "an instance has 16 bytes, not \(instance.count)")
        precondition((1...Limits.stationCountMax).contains(stations.count), "\(stations.count) stations")
        self.name = name
        self.instance = instance
        self.program = program
        self.stations = OrderedDictionary(uniqueKeysWithValues: stations.map { ($0.name, $0) })
        self.drainTimeout = drainTimeout
    }

    /// When `tick` is due at the latest; `nil` while only an input can change anything.
    public var nextDeadline: Instant? {
        guard !isOver else { return nil }
        return Instant.earliest(session.nextDeadline, timeouts.next, departure.nextDeadline)
    }

    public mutating func handle(_ input: Input, now: Moment) -> Step {
        var step = Step()
        // What still arrives after the end is a race: nobody is left to act on it.
        guard !isOver else { return step }
        switch input {
        case .linkOpened: open(now.instant, &step)
        case .linkClosed: session.close()
        case .received(let message): receive(message, now.instant, &step)
        case .undecodable(let error):
            // Leases or acknowledgements may be lost with it: the next hello brings both sides to agree.
            step.add(.note(.undecodable(error)))
            session.close()
            step.add(.resetLink)
        case .handlerEnded(let lease, let outcome): end(LeaseKey(lease), outcome, now.instant)
        case .drain: drain(now.instant, &step)
        case .hurry: hurry(now.instant, &step)
        }
        return step
    }

    /// Does what time demands, and sends what the inputs since the last tick have produced.
    public mutating func tick(now: Moment) -> Step {
        var step = Step()
        guard !isOver else { return step }
        stopTimedOut(now.instant, &step)
        switch departure.tick(isIdle: running.isEmpty, now: now.instant) {
        case .stopHandlers: stopAll(.draining, &step)
        case .leave:
            finish(.leftBehind(runningCount: running.count, heldCount: held.count), &step)
            return step
        case .wait: break
        }
        keepSession(now.instant, &step)
        judgePressure(&step)
        report(&step)
        departWhenEmpty(&step)
        return step
    }
}

// MARK: The session

extension WorkerMachine {
    private mutating func open(_ now: Instant, _ step: inout Step) {
        session.open(now: now)
        let hello = WorkerHello.with {
            $0.versions = Frames.versions
            $0.name = name
            $0.instance.append(contentsOf: instance)
            $0.stations = credit
            $0.running = running.sorted { $0.key < $1.key }.map(\.value.claim)
            $0.held = held.claims
            $0.program = program
        }
        unreportedStarts = []
        isCreditStale = false
        step.add(.send(WorkerMessage.with { $0.hello = hello }))
    }

    private mutating func receive(_ message: KitchenMessage, _ now: Instant, _ step: inout Step) {
        session.hear(now: now)
        switch message.body {
        case .welcome(let welcome)?: begin(welcome, now, &step)
        case .refusal(let refusal)?: accept(refusal, now, &step)
        case .leases(let batch)?: take(batch, now, &step)
        case .acks(let batch)?: for ack in batch.acks { forget(ack, &step) }
        case .revokes(let batch)?:
            for revoke in batch.revokes { stop(LeaseKey(revoke.lease), .revoked, &step) }
        // Hearing it was all.
        case .heartbeat?: break
        case nil: step.add(.note(.undecodable(.unknownBody)))
        }
    }

    private mutating func begin(_ welcome: WorkerWelcome, _ now: Instant, _ step: inout Step) {
        switch session.welcome(welcome, now: now) {
        case .begin:
            contentBytesMax =
                welcome.contentBytesMax > 0 ? Int(clamping: welcome.contentBytesMax) : contentBytesMax
            held.queueAll()
            // The hello cannot say that the worker is draining.
            isCreditStale = isCreditStale || departure.isDeparting
            step.add(.note(.welcomed(name: welcome.name, session: welcome.session)))
        case .giveUp:
            step.add(.note(.unusableWelcome))
            step.add(.resetLink)
        // Nobody had asked: a second welcome of a session changes nothing.
        case .ignore: break
        }
    }

    private mutating func accept(_ refusal: Refusal, _ now: Instant, _ step: inout Step) {
        switch refusal.reason {
        case .version:
            finish(.noCommonVersion(theirs: refusal.versions, message: refusal.message), &step)
        case .notAuthorised:
            finish(.notAuthorised(message: refusal.message), &step)
        case .session:
            step.add(.note(.refused(refusal)))
            session.close()
            step.add(.resetLink)
        case .malformed, .unsupported, .invalid, .conflict, .notFound, .full, .unavailable, .unspecified,
            .UNRECOGNIZED:
            step.add(.note(.refused(refusal)))
            session.refuse(
                retryAfter: .milliseconds(Int64(clamping: refusal.retryAfterMs)), now: now)
        }
    }

    private mutating func keepSession(_ now: Instant, _ step: inout Step) {
        switch session.tick(now: now) {
        case .beat: send(&step) { $0.heartbeat = Heartbeat() }
        case .giveUpHello:
            step.add(.note(.helloUnanswered))
            step.add(.resetLink)
        case .greetAgain: step.add(.resetLink)
        case .giveUpSilent(let silence):
            step.add(.note(.assemblerSilent(silence)))
            step.add(.resetLink)
        case .wait: break
        }
    }

    /// Only within a session: what cannot be said now is in the next hello, or follows its welcome.
    private func send(_ step: inout Step, _ fill: (inout WorkerMessage) -> Void) {
        guard let number = session.number else { return }
        var message = WorkerMessage.with { $0.session = number }
        fill(&message)
        step.add(.send(message))
    }

    private var credit: [StationCapacity] {
        let takesNothing = departure.isDeparting || held.isHoldingBack
        return stations.values.map { station in
            StationCapacity.with {
                $0.station = station.name
                $0.capacity = takesNothing ? 0 : UInt32(station.capacity)
            }
        }
    }

    private mutating func judgePressure(_ step: inout Step) {
        switch held.judgePressure() {
        case .holdBack: step.add(.note(.holdingBack(heldCount: held.count, heldBytes: held.byteCount)))
        case .askAgain: step.add(.note(.askingAgain))
        case .keep: return
        }
        isCreditStale = true
    }

    /// Tells the assembler, together, what the inputs of this round have changed.
    private mutating func report(_ step: inout Step) {
        guard session.number != nil else { return }
        if !unreportedStarts.isEmpty {
            send(&step) { $0.started.leases = unreportedStarts }
            unreportedStarts = []
        }
        // Results before credit: a place is free once its result is in.
        while let batch = held.nextBatch() { send(&step) { $0.results = batch } }
        if isCreditStale {
            send(&step) {
                $0.credit.stations = credit
                $0.credit.draining = departure.isDeparting
            }
            isCreditStale = false
        }
    }
}

// MARK: Leases

extension WorkerMachine {
    private mutating func take(_ batch: LeaseBatch, _ now: Instant, _ step: inout Step) {
        // Without a session no lease is ours: the hello has said what this worker runs.
        guard session.number != nil else { return }
        for lease in batch.leases { take(lease, now, &step) }
    }

    private mutating func take(_ lease: Lease, _ now: Instant, _ step: inout Step) {
        // A lease that is sent again: its handler runs, or has ended and its result was lost on the way.
        let key = LeaseKey(lease.lease)
        guard !running.keys.contains(key) else { return }
        guard !held.contains(key) else { return held.queueAgain(key) }

        guard let station = stations[lease.station], OrderID(lease.order) != nil else {
            return giveBack(lease, .unsupported, &step)
        }
        guard !departure.isDeparting else { return giveBack(lease, .draining, &step) }

        let new = RunningLease(lease, stationTimeout: station.timeout, now: now)
        running[key] = new
        timeouts.add(key, at: new.deadline)
        unreportedStarts.append(lease.lease)
        step.add(.start(lease))
    }

    private mutating func giveBack(_ lease: Lease, _ reason: Returned.Reason, _ step: inout Step) {
        let result = ItemResult.with {
            $0.lease = lease.lease
            $0.order = lease.order
            $0.index = lease.index
            $0.returned = .because(reason)
        }
        held.hold(result, hasStarted: false)
        step.add(.note(.leaseReturned(lease.lease, station: lease.station, reason)))
    }

    private mutating func end(_ key: LeaseKey, _ outcome: HandlerOutcome, _ now: Instant) {
        // A handler ends once; a second word about it changes nothing.
        guard let lease = running.removeValue(forKey: key) else { return }
        held.hold(lease.result(outcome, contentBytesMax: contentBytesMax, now: now), hasStarted: true)
        timeouts.prune(runningCount: running.count) { running.keys.contains($0) }
    }

    private mutating func stop(_ key: LeaseKey, _ reason: StopReason, _ step: inout Step) {
        // It has ended: its result is held, or was acknowledged while the revocation was on its way.
        // Told with the id as it came: a later version's may hold more than its key.
        guard let id = running[key]?.claim.lease else { return }
        switch running[key]?.stop(reason) {
        case .stop(let reason)?:
            step.add(.note(.stopped(id, reason)))
            step.add(.stop(id, reason))
        // It is stopping already.
        case .ignore?, nil: break
        }
    }

    private mutating func stopAll(_ reason: StopReason, _ step: inout Step) {
        for key in running.keys.sorted() { stop(key, reason, &step) }
    }

    private mutating func stopTimedOut(_ now: Instant, _ step: inout Step) {
        while let key = timeouts.popDue(now: now) {
            guard let lease = running[key] else { continue }
            stop(key, .timeout(lease.timeout), &step)
        }
    }

    private mutating func forget(_ ack: Ack, _ step: inout Step) {
        guard held.acknowledge(LeaseKey(ack.lease)), ack.fate != .stored else { return }
        step.add(.note(.resultDropped(ack.lease, ack.fate)))
    }
}

// MARK: The departure

extension WorkerMachine {
    private mutating func drain(_ now: Instant, _ step: inout Step) {
        // A second wish to drain changes nothing.
        guard departure.drain(timeout: drainTimeout, now: now) else { return }
        isCreditStale = true
        step.add(.note(.draining(runningCount: running.count, heldCount: held.count)))
    }

    private mutating func hurry(_ now: Instant, _ step: inout Step) {
        isCreditStale = !departure.isDeparting || isCreditStale
        departure.hurry(now: now)
        step.add(.note(.hurrying(runningCount: running.count, heldCount: held.count)))
        stopAll(.draining, &step)
    }

    private mutating func departWhenEmpty(_ step: inout Step) {
        guard departure.isDeparting, running.isEmpty, held.isEmpty else { return }
        send(&step) { $0.farewell = Farewell() }
        finish(.drained, &step)
    }

    private mutating func finish(_ ending: Ending, _ step: inout Step) {
        isOver = true
        step.add(.finished(ending))
    }
}
