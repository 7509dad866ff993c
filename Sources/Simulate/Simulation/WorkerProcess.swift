import DequeModule
import Wire
import WorkerCore

/// A worker's process: the shell around its core. `WorkerService` is the real one.
struct WorkerProcess {
    /// What is special about a process.
    enum Character {
        case honest
        /// Fails whatever it is given, at once.
        case failing
        /// Claims leases that it never had, and answers for them.
        case liar
        /// Speaks these versions of the protocol.
        case speaking(lowest: UInt32, highest: UInt32)
    }

    /// A handler that runs.
    struct Handler {
        let lease: LeaseID
        let item: ItemRef
        /// Counts what was set for its end: only the last of it holds.
        var turn: Int
        var outcome: HandlerOutcome
        var endsProcess: Bool
        let isStubborn: Bool
    }

    let index: Int
    let stations: [ServedStation]
    var process = 0
    var running: Running<WorkerMachine>?
    var link = SimulatedLink()
    var arrivals: Deque<LinkEvent> = []
    /// Only ever looked up, and counted.
    var handlers: [LeaseKey: Handler] = [:]
    var alarm = Alarm()
    var character = Character.honest
    /// Between what arrives and the round that takes it.
    var reactionTime = Duration.microseconds(50)

    init(index: Int, stations: [ServedStation]) {
        self.index = index
        self.stations = stations
    }

    var isRunning: Bool { running != nil }

    static let roundMessageCountMax = 100
}

extension World {
    mutating func drawStations(of index: Int) -> [ServedStation] {
        var names = plan.stationNames
        // The first serves all, so that nothing waits for ever.
        if index > 0 {
            names = names.filter { _ in networkDice.chance(70) }
            if names.isEmpty { names = [networkDice.pick(plan.stationNames)] }
        }
        return names.map {
            let timeout: Duration? = networkDice.chance(20) ? networkDice.milliseconds(200...3_000) : nil
            if plan.isBusy { return ServedStation(name: $0, capacity: 64) }
            return ServedStation(name: $0, capacity: networkDice.pick([1, 1, 2, 4, 16]), timeout: timeout)
        }
    }

    mutating func startWorker(_ index: Int) {
        guard !workers[index].isRunning, phase != .draining else { return }
        let party = Party.worker(index)
        workers[index].process += 1
        workers[index].arrivals = []
        workers[index].handlers = [:]
        workers[index].alarm = Alarm()
        workers[index].link = SimulatedLink()
        workers[index].character = isFaulty ? drawCharacter() : .honest
        workers[index].reactionTime =
            isFaulty && plan.has(.slowWorkers) && handlerDice.chance(40)
            ? handlerDice.milliseconds(1...400) : .microseconds(50)
        workers[index].running = Running(
            WorkerMachine(
                name: party.text, instance: handlerDice.bytes(16), stations: workers[index].stations,
                drainTimeout: .seconds(5), program: "simulated", now: now))
        trace.line(party, "starts, \(workers[index].character)")
        connectLater(party, after: .zero)
    }

    private mutating func drawCharacter() -> WorkerProcess.Character {
        if plan.has(.failingWorkers), handlerDice.chance(25) { return .failing }
        if plan.has(.liars), handlerDice.chance(30) { return .liar }
        if plan.has(.otherVersions), handlerDice.chance(25) {
            return handlerDice.pick([
                .speaking(lowest: 0, highest: 0), .speaking(lowest: 2, highest: 3),
                .speaking(lowest: 0, highest: 9),
            ])
        }
        return .honest
    }

    /// The process ends with all that it runs and holds; its supervisor starts another.
    mutating func killWorker(_ index: Int, _ why: String) {
        guard workers[index].isRunning else { return }
        let party = Party.worker(index)
        trace.line(party, "ends: \(why)")
        if let connection = workers[index].link.connection {
            end(connection, by: .client, isTold: cuts[party].map { $0 <= now.instant } ?? true)
        }
        auditor.workerEnded(running: workers[index].handlers.values.map(\.item))
        workers[index].running = nil
        workers[index].handlers = [:]
        workers[index].link.phase = .closed
        frozen.remove(party)
        held[party] = nil
        schedule.set(
            .start(party), at: later(isFaulty ? handlerDice.milliseconds(10...3_000) : .milliseconds(100)))
    }

    // MARK: The round

    mutating func workerRound(_ index: Int) {
        var count = 0
        while workers[index].isRunning, count < WorkerProcess.roundMessageCountMax,
            let event = workers[index].arrivals.popFirst()
        {
            take(event, by: index)
            count += 1
        }
        guard let step = workers[index].running?.core.tick(now: now) else { return }
        perform(step, by: index)
        if !workers[index].arrivals.isEmpty { return wake(.worker(index), at: now.instant) }
        if let next = workers[index].running?.ask({ $0.nextDeadline }) { wake(.worker(index), at: next) }
    }

    private mutating func take(_ event: LinkEvent, by index: Int) {
        switch event {
        case .opened: handle(.linkOpened, by: index)
        case .closed: handle(.linkClosed, by: index)
        case .message(let frames):
            do throws(WireError) {
                handle(.received(try Frames.decode(frames, as: KitchenMessage.self)), by: index)
            } catch {
                handle(.undecodable(error), by: index)
            }
        }
    }

    mutating func handle(_ input: WorkerMachine.Input, by index: Int) {
        guard let step = workers[index].running?.core.handle(input, now: now) else { return }
        countClientInput()
        perform(step, by: index)
    }

    private mutating func perform(_ step: WorkerMachine.Step, by index: Int) {
        for action in step.actions {
            guard workers[index].isRunning else { return }
            switch action {
            case .send(let message): send(message, by: index)
            case .start(let lease): start(lease, by: index)
            case .stop(let lease, let reason): stop(LeaseKey(lease), reason, by: index)
            case .resetLink: resetLink(of: index)
            case .finished(let ending): finish(ending, index)
            case .note: break
            }
        }
    }

    private mutating func send(_ message: WorkerMessage, by index: Int) {
        guard let connection = workers[index].link.connection,
            connections[connection].isOpenForClient
        else { return }
        var message = message
        let lie = tamper(with: &message, by: index)
        sendToAssembler(Frames.encode(message), on: connection)
        if let lie { sendToAssembler(Frames.encode(lie), on: connection) }
        if isFaulty, plan.has(.garbage), handlerDice.chance(2) { sendToAssembler(garbage(), on: connection) }
    }

    private mutating func resetLink(of index: Int) {
        guard let connection = workers[index].link.connection else { return }
        trace.line(.worker(index), "gives its connection up")
        end(connection, by: .client, isTold: cuts[.worker(index)].map { $0 <= now.instant } ?? true)
        // What it brought and was not read is lost.
        workers[index].arrivals = []
        connectLater(.worker(index))
    }

    private mutating func finish(_ ending: WorkerMachine.Ending, _ index: Int) {
        trace.line(.worker(index), "is over: \(ending)")
        if phase == .draining {
            guard ending == .drained else {
                return end(.stuck("\(Party.worker(index).text) could not drain: \(ending)\n" + pending))
            }
        }
        if let connection = workers[index].link.connection { end(connection, by: .client, isTold: true) }
        auditor.workerEnded(running: workers[index].handlers.values.map(\.item))
        workers[index].running = nil
        workers[index].handlers = [:]
        workers[index].link.phase = .closed
        frozen.remove(.worker(index))
        schedule.set(.start(.worker(index)), at: later(handlerDice.milliseconds(100...2_000)))
    }

    // MARK: Handlers

    private mutating func start(_ lease: Lease, by index: Int) {
        guard let item = ItemRef(lease) else { return auditor.blame("a lease names no order") }
        auditor.started(lease, of: item, by: index, process: workers[index].process)
        let nature = Nature(lease.payload)
        var span = Nature.duration(lease.payload)
        var outcome = HandlerOutcome.failed(message: "broken", isPermanent: false)
        switch nature {
        case .done: outcome = .done(Nature.result(item))
        case .doneAt(let attempt):
            if Int(lease.attempt) >= attempt { outcome = .done(Nature.result(item)) }
        case .fails, .poison: break
        case .failsForGood: outcome = .failed(message: "for good", isPermanent: true)
        case .endless: span = .seconds(3_600)
        }
        if case .failing = workers[index].character, nature != .poison {
            outcome = .failed(message: "this worker fails", isPermanent: false)
            span = .milliseconds(1)
        }
        if isFaulty, plan.has(.slowWorkers) { span *= handlerDice.number(1...4) }
        let isStubborn = isFaulty && plan.has(.stubbornHandlers) && handlerDice.chance(40)
        let key = LeaseKey(lease.lease)
        workers[index].handlers[key] = WorkerProcess.Handler(
            lease: lease.lease, item: item, turn: 0, outcome: outcome, endsProcess: nature == .poison,
            isStubborn: isStubborn)
        setEnd(of: key, turn: 0, by: index, in: span)
    }

    private mutating func setEnd(of lease: LeaseKey, turn: Int, by index: Int, in span: Duration) {
        schedule.set(
            .handlerEnds(worker: index, process: workers[index].process, lease, turn: turn), at: later(span))
    }

    private mutating func stop(_ lease: LeaseKey, _ reason: StopReason, by index: Int) {
        guard var handler = workers[index].handlers[lease] else { return }
        trace.line(.worker(index), "stops \(lease.text): \(reason)")
        handler.turn += 1
        if !(handler.isStubborn && handlerDice.chance(50)) {
            handler.outcome = .failed(message: "stopped", isPermanent: false)
        }
        handler.endsProcess = handler.endsProcess && handlerDice.chance(10)
        workers[index].handlers[lease] = handler
        setEnd(
            of: lease, turn: handler.turn, by: index,
            in: handler.isStubborn ? handlerDice.milliseconds(500...9_000) : handlerDice.milliseconds(0...20))
    }

    mutating func handlerEnds(_ index: Int, process: Int, _ lease: LeaseKey, turn: Int) {
        guard isAlive(.worker(index), process: process),
            let position = workers[index].handlers.index(forKey: lease),
            workers[index].handlers.values[position].turn == turn
        else { return }
        guard !frozen.contains(.worker(index)) else {
            held[.worker(index), default: []].append(
                .handlerEnds(worker: index, process: process, lease, turn: turn))
            return
        }
        if workers[index].handlers.values[position].endsProcess {
            auditor.poisonKilled(workers[index].handlers.values[position].item)
            return killWorker(index, "by \(lease.text)")
        }
        let handler = workers[index].handlers.remove(at: position).value
        if case .done = handler.outcome { auditor.succeeded(handler.item) }
        if case .failed(_, true) = handler.outcome { auditor.failedForGood(handler.item) }
        trace.line(.worker(index), "ends \(lease.text): \(handler.outcome.text)")
        handle(.handlerEnded(handler.lease, handler.outcome), by: index)
        wake(.worker(index), at: now.instant)
    }
}
