import AssemblerCore
import DequeModule
import Wire

/// One run: the three cores, a clock, a network and a store in one thread, driven by one seed.
///
/// First things go wrong for a while (safety); then everything heals, and all must end (liveness).
public struct World: ~Copyable {
    let plan: Plan
    var now = Moment(
        instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 1_700_000_000_000))
    var schedule = Schedule()
    var trace: Trace
    var auditor: Auditor
    var networkDice: Dice
    var faultDice: Dice
    var handlerDice: Dice
    var peopleDice: Dice

    var connections: [Connection] = []
    /// Who cannot reach the assembler, until when. Only ever looked up.
    var cuts: [Party: Instant] = [:]
    /// Processes that are stopped. Only ever looked up.
    var frozen: Set<Party> = []
    /// What happens to a stopped process once it goes on. Only ever looked up.
    var held: [Party: Deque<Event>] = [:]

    var assembler = AssemblerProcess()
    var workers: [WorkerProcess] = []
    var producers: [ProducerProcess] = []
    var errands: [Errand] = []
    /// Things go wrong still.
    var isFaulty = true
    var room = Room.plenty
    var phase = Phase.faults
    private(set) var verdict: Verdict?
    /// When something was last seen to move on.
    var lastProgress = Instant(nanoseconds: 0)
    var healedAt = Instant(nanoseconds: 0)
    private var eventsOfInstant = 0
    /// What the cores of workers and producers were given.
    private(set) var clientInputCount = 0

    enum Phase { case faults, healed, draining, over }

    /// - Parameter trace: gets a line for everything that happens; `nil`: nobody reads it.
    public init(plan: Plan, trace: ((String) -> Void)? = nil) {
        self.plan = plan
        self.trace = Trace(write: trace)
        networkDice = Dice(seed: plan.seed, stream: 2)
        faultDice = Dice(seed: plan.seed, stream: 3)
        handlerDice = Dice(seed: plan.seed, stream: 4)
        peopleDice = Dice(seed: plan.seed, stream: 5)
        auditor = Auditor(plan: plan)
    }

    /// Runs to the end, or to the first thing that is wrong.
    public mutating func run() -> Verdict {
        open()
        while verdict == nil, let next = schedule.next() {
            guard advance(to: next.at) else { break }
            happen(next.event)
            if let violation = auditor.violation { end(.broken(violation)) }
            if verdict == nil { lookAtProgress() }
        }
        let verdict = verdict ?? .stuck("nothing will happen any more, and not all has ended:\n" + pending)
        trace.line("simulator", verdict.text)
        return verdict
    }

    /// Of everything that happened: the same for every run of the seed.
    public var digest: UInt64 { trace.digest }

    public var figures: Figures {
        Figures(
            rounds: auditor.roundCount, inputs: auditor.inputCount + clientInputCount,
            outcomes: auditor.outcomeCount,
            simulated: Instant(nanoseconds: 1_000_000_000).duration(to: now.instant))
    }

    mutating func countClientInput() { clientInputCount += 1 }

    mutating func end(_ verdict: Verdict) {
        if self.verdict == nil { self.verdict = verdict }
    }

    private mutating func advance(to instant: Instant) -> Bool {
        if instant > now.instant {
            eventsOfInstant = 0
            // Two clocks that go together: neither loses what the other rounds away.
            now.instant = instant
            now.wall.milliseconds = 1_700_000_000_000 + instant.nanoseconds / 1_000_000
            trace.now = instant
        }
        eventsOfInstant += 1
        guard eventsOfInstant < 200_000 else {
            end(.stuck("200,000 things happen at one instant:\n" + pending))
            return false
        }
        return true
    }

    private mutating func open() {
        trace.line("simulator", "seed \(plan.seed): \(plan.description)")
        drawErrands()
        for index in 0..<plan.workerCount {
            workers.append(WorkerProcess(index: index, stations: drawStations(of: index)))
            schedule.set(.start(.worker(index)), at: later(networkDice.milliseconds(0...3_000)))
        }
        for index in 0..<plan.producerCount {
            producers.append(ProducerProcess(index: index))
            schedule.set(.start(.producer(index)), at: later(networkDice.milliseconds(0...2_000)))
        }
        schedule.set(.start(.assembler), at: later(networkDice.milliseconds(0...2_000)))
        schedule.set(.fault, at: later(faultDice.milliseconds(0...1_000)))
    }

    func later(_ span: Duration) -> Instant { now.instant.advanced(by: span) }

    private mutating func happen(_ event: Event) {
        switch event {
        case .toAssembler(let connection, let frames): arriveAtAssembler(frames, on: connection)
        case .toClient(let connection, let frames): arriveAtClient(frames, on: connection)
        case .assemblerHearsEnd(let connection): assemblerHearsEnd(of: connection)
        case .clientHearsEnd(let connection): clientHearsEnd(of: connection)
        case .connect(let party, let process): connect(party, process: process)
        case .wake(let party, let process): round(of: party, process: process)
        case .handlerEnds(let worker, let process, let lease, let turn):
            handlerEnds(worker, process: process, lease, turn: turn)
        case .start(let party): start(party)
        case .fault: nextFault()
        case .thaw(let party): thaw(party)
        case .errand(let producer, let errand): run(errand: errand, by: producer)
        case .vanish(let producer, let process):
            if isAlive(.producer(producer), process: process) { killProducer(producer) }
        }
    }

    // MARK: Processes

    func isAlive(_ party: Party, process: Int) -> Bool {
        switch party {
        case .assembler: assembler.isRunning && assembler.process == process
        case .worker(let index): workers[index].isRunning && workers[index].process == process
        case .producer(let index): producers[index].isRunning && producers[index].process == process
        }
    }

    func link(of party: Party) -> SimulatedLink? {
        switch party {
        case .assembler: nil
        case .worker(let index): workers[index].link
        case .producer(let index): producers[index].link
        }
    }

    private mutating func start(_ party: Party) {
        switch party {
        case .assembler: startAssembler()
        case .worker(let index): startWorker(index)
        case .producer(let index): startProducer(index)
        }
    }

    /// Makes the party's next round happen no later than `instant`.
    mutating func wake(_ party: Party, at instant: Instant) {
        var due = max(instant, now.instant)
        switch party {
        case .assembler:
            due = max(due, assembler.busyUntil)
            guard assembler.isRunning, assembler.alarm.set(at: due) else { return }
            schedule.set(.wake(party, process: assembler.process), at: due)
        case .worker(let index):
            guard workers[index].isRunning, workers[index].alarm.set(at: due) else { return }
            schedule.set(.wake(party, process: workers[index].process), at: due)
        case .producer(let index):
            guard producers[index].isRunning, producers[index].alarm.set(at: due) else { return }
            schedule.set(.wake(party, process: producers[index].process), at: due)
        }
    }

    private mutating func round(of party: Party, process: Int) {
        guard isAlive(party, process: process) else { return }
        let isDue =
            switch party {
            case .assembler: assembler.alarm.ring(at: now.instant)
            case .worker(let index): workers[index].alarm.ring(at: now.instant)
            case .producer(let index): producers[index].alarm.ring(at: now.instant)
            }
        guard !frozen.contains(party) else {
            return held[party, default: []].append(.wake(party, process: process))
        }
        guard isDue else { return }
        switch party {
        case .assembler: assemblerRound()
        case .worker(let index): workerRound(index)
        case .producer(let index): producerRound(index)
        }
    }

    /// The process is stopped; it hears nothing and does nothing, and its connections stay.
    mutating func freeze(_ party: Party, for span: Duration) {
        guard !frozen.contains(party) else { return }
        trace.line(party, "is stopped for \(span)")
        frozen.insert(party)
        schedule.set(.thaw(party), at: later(span))
    }

    mutating func thaw(_ party: Party) {
        guard frozen.remove(party) != nil else { return }
        trace.line(party, "goes on")
        for event in held.removeValue(forKey: party) ?? [] { happen(event) }
        wake(party, at: now.instant)
    }

    // MARK: What arrives at clients

    private mutating func arriveAtClient(_ frames: [[UInt8]], on connection: Int) {
        connections[connection].toClient.waitingCount -= 1
        let (client, process) = (connections[connection].client, connections[connection].clientProcess)
        guard connections[connection].isOpenForClient, isAlive(client, process: process),
            connections[connection].toClient.lostAfter.map({ now.instant <= $0 }) ?? true,
            link(of: client)?.connection == connection
        else { return }
        trace.add(frames)
        arrive(.message(frames), at: client)
    }

    private mutating func clientHearsEnd(of connection: Int) {
        let (client, process) = (connections[connection].client, connections[connection].clientProcess)
        guard connections[connection].isOpenForClient, isAlive(client, process: process),
            link(of: client)?.connection == connection
        else { return }
        connections[connection].isOpenForClient = false
        arrive(.closed, at: client)
        connectLater(client)
    }

    private mutating func arrive(_ event: LinkEvent, at client: Party) {
        switch client {
        case .assembler: return
        case .worker(let index):
            workers[index].arrivals.append(event)
            wake(client, at: later(workers[index].reactionTime))
        case .producer(let index):
            producers[index].arrivals.append(event)
            wake(client, at: later(.microseconds(50)))
        }
    }
}

/// What a client's link tells.
enum LinkEvent {
    case opened
    case message([[UInt8]])
    case closed
}

/// How a run came out.
public enum Verdict: Equatable, Sendable {
    case allWell
    /// A promise was broken.
    case broken(String)
    /// Nothing was broken, but something that should end does not.
    case stuck(String)

    public var text: String {
        switch self {
        case .allWell: "all is well"
        case .broken(let what): "a promise is broken: \(what)"
        case .stuck(let what): "no progress: \(what)"
        }
    }
}

/// How much a run was.
public struct Figures: Sendable {
    /// Of the assembler.
    public var rounds = 0
    /// Of all three cores.
    public var inputs = 0
    public var outcomes = 0
    public var simulated = Duration.zero

    public init() {}

    init(rounds: Int, inputs: Int, outcomes: Int, simulated: Duration) {
        (self.rounds, self.inputs, self.outcomes, self.simulated) = (rounds, inputs, outcomes, simulated)
    }

    public mutating func add(_ other: Figures) {
        rounds += other.rounds
        inputs += other.inputs
        outcomes += other.outcomes
        simulated += other.simulated
    }
}
