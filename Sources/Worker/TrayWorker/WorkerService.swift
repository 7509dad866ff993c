import Glibc
import Logging
import Wire
import WorkerCore
import ZeroMQ

/// A worker: it serves stations for the assembler of one kitchen until it is told to drain.
///
///     let worker = try WorkerService(kitchen: "tcp://127.0.0.1:5571", name: "worker-1", stations: [
///         Station("resize", capacity: 4, handler: ClosureHandler { attempt in … }),
///     ])
///     let ending = await worker.run()
///
/// The actor lives on a polling thread of its own together with its core and its connection, so that no
/// handler, however busy, delays a heartbeat (FM-32). Handlers run in the cooperative pool.
public actor WorkerService {
    /// Why a worker is over.
    public typealias Ending = WorkerMachine.Ending

    private nonisolated let thread: PollingThread
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private var core: WorkerMachine
    private var link: Link
    private let kitchen: String
    private let clock: WorkerClock
    /// When to say that the assembler is waited for; `nil` once that is said, and while it is there.
    private var waitingWordDue: ContinuousClock.Instant?
    private let stations: [String: Station]
    private let logger: Logger

    private var running: [LeaseID: Task<Void, Never>] = [:]
    private var waiting: [CheckedContinuation<Ending, Never>] = []
    private var hasBegun = false
    private var ending: Ending?

    /// Messages taken in one round before their results go out.
    private static let roundMessageCountMax = 100
    /// Shorter absences are nothing that an operator would want to know.
    private static let absenceMax = Duration.seconds(1)

    /// Connects to nothing yet: `run` does.
    ///
    /// - Parameters:
    ///   - kitchen: the assembler's endpoint for workers.
    ///   - name: for people; 1 to 64 letters, digits, '.', '_' and '-'.
    ///   - instance: 16 random bytes; drawn where none are given.
    ///   - stations: 1 to 1,000 of different names, at most 65,536 attempts together.
    ///   - drainTimeout: how long running handlers may go on after `drain`.
    ///   - program: name and version, for people.
    /// - Throws: `ZeroMQError` when the process has no descriptors left.
    public init(
        kitchen: String = Defaults.kitchenEndpoint, name: String,
        instance: [UInt8] = WorkerService.newInstance(),
        stations: [Station], drainTimeout: Duration = .seconds(10), program: String = "TrayWorker",
        logger: Logger = Logger(label: "worker")
    ) throws(ZeroMQError) {
        self.kitchen = kitchen
        clock = WorkerClock()
        thread = PollingThread(name: "kitchen")
        core = WorkerMachine(
            name: name, instance: instance,
            stations: stations.map {
                ServedStation(name: $0.name, capacity: $0.capacity, timeout: $0.timeout)
            },
            drainTimeout: drainTimeout, program: program, now: clock.now)
        link = Link(
            context: try Context(), endpoint: kitchen, thread: thread,
            maxMessageBytes: Limits.messageBytesMax,
            seed: .random(in: .min ... .max))
        self.stations = Dictionary(stations.map { ($0.name, $0) }) { first, _ in first }
        self.logger = logger
    }

    /// What is wrong with an endpoint, and what is right; `nil` if nothing is. Says nothing of who listens
    /// there.
    public static func problem(ofKitchen endpoint: String) -> String? { Endpoint.problem(of: endpoint) }

    public static func newInstance() -> [UInt8] { (0..<16).map { _ in .random(in: .min ... .max) } }

    /// Serves until the worker has ended: drained, hurried, or not wanted by its assembler.
    ///
    /// Waits for an assembler that is not there, and comes back to one that was away, for as long as it
    /// takes. Cancelling the caller's task hurries the worker.
    public func run() async -> Ending {
        begin()
        return await withTaskCancellationHandler {
            if let ending { return ending }
            return await withCheckedContinuation { waiting.append($0) }
        } onCancel: {
            Task { await hurry() }
        }
    }

    /// Takes no more leases, lets running handlers finish for the drain timeout, then ends.
    public func drain() { handle(.drain) }

    /// Stops all handlers now, and ends within a second.
    public func hurry() { handle(.hurry) }

    private func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        waitingWordDue = .now + WorkerService.absenceMax
        thread.onRound { [weak self] in self?.assumeIsolated { $0.round() } }
    }
}

// MARK: Rounds

extension WorkerService {
    /// Takes what has arrived, then lets the core send what has come of it, the handlers' results among it.
    private func round() -> ContinuousClock.Instant? {
        guard ending == nil else { return nil }
        var messageCount = 0
        while ending == nil, messageCount < WorkerService.roundMessageCountMax,
            let event = link.next(now: .now)
        {
            take(event)
            messageCount += 1
        }
        perform(core.tick(now: clock.now))
        guard ending == nil else { return nil }
        sayWhenWaiting()
        // What is left unread wakes the thread again; a link may know of more than its socket does.
        if messageCount == WorkerService.roundMessageCountMax { thread.wake() }
        return [core.nextDeadline.map(clock.time(of:)), link.nextDeadline, waitingWordDue]
            .compactMap { $0 }.min()
    }

    /// Once for each absence of the assembler, however often it is tried.
    private func sayWhenWaiting() {
        guard let due = waitingWordDue, ContinuousClock.now >= due else { return }
        waitingWordDue = nil
        logger.info("waiting for the assembler", metadata: ["kitchen": "\(kitchen)"])
    }

    private func take(_ event: Link.Event) {
        switch event {
        case .opened:
            waitingWordDue = nil
            handle(.linkOpened)
        case .closed:
            logger.info("connection to the assembler closed")
            waitingWordDue = .now + WorkerService.absenceMax
            handle(.linkClosed)
        case .message(let frames):
            do throws(WireError) {
                handle(.received(try Frames.decode(frames, as: KitchenMessage.self)))
            } catch {
                handle(.undecodable(error))
            }
        }
    }

    /// What it causes to be sent goes out with this round's `tick`, or before.
    private func handle(_ input: WorkerMachine.Input) { perform(core.handle(input, now: clock.now)) }

    private func perform(_ step: WorkerMachine.Step) {
        for action in step.actions {
            switch action {
            case .send(let message): send(message)
            case .start(let lease): start(lease)
            case .stop(let lease, _): running[lease]?.cancel()
            case .resetLink: resetLink()
            case .finished(let ending): finish(ending)
            case .note(let note): note.log(to: logger)
            }
        }
    }

    private func send(_ message: WorkerMessage) {
        switch link.send(Frames.encode(message)) {
        case .sent: return
        // The link has seen the end of its connection before us, and will say so.
        case .unreachable: return
        case .full: logger.warning("the assembler takes no more: making a new connection")
        case .failed(let error):
            logger.warning("cannot send: making a new connection", metadata: ["error": "\(error)"])
        }
        // What was not sent is said again after the next welcome (FM-51).
        resetLink()
        handle(.linkClosed)
    }

    private func resetLink() {
        link.reset(now: .now)
        waitingWordDue = .now + WorkerService.absenceMax
    }

    private func finish(_ ending: Ending) {
        self.ending = ending
        for task in running.values { task.cancel() }
        for station in stations.values { station.handler.abandon() }
        link.close()
        thread.endRounds()
        for continuation in waiting { continuation.resume(returning: ending) }
        waiting = []
    }
}

// MARK: Handlers

extension WorkerService {
    private func start(_ lease: Lease) {
        guard let station = stations[lease.station], let order = OrderID(lease.order) else {
            preconditionFailure("the core starts what it does not serve: \(lease.station)")
        }
        let attempt = Attempt(
            order: order, itemIndex: Int(lease.index), itemName: lease.name, station: lease.station,
            number: Int(lease.attempt), lease: lease.lease, payload: lease.payload,
            resultBytesMax: core.contentBytesMax)
        running[lease.lease] = WorkerService.task(running: attempt, by: station.handler, for: self)
    }

    /// A task of its own for each attempt, so that it can be stopped alone and a handler that never ends
    /// holds up nobody. Outside of the actor's isolation: it begins in the pool, without a turn on the
    /// polling thread.
    private static nonisolated func task(
        running attempt: Attempt, by handler: any Handler, for worker: WorkerService
    ) -> Task<Void, Never> {
        Task { [weak worker] in
            let outcome = await handler.run(attempt)
            await worker?.end(attempt.lease, outcome)
        }
    }

    /// Runs on the polling thread as a job of its own; the round that follows the queued jobs sends all their
    /// results.
    private func end(_ lease: LeaseID, _ outcome: HandlerOutcome) {
        running[lease] = nil
        handle(.handlerEnded(lease, outcome))
    }
}

/// Monotonic time as the core counts it, and wall time.
private struct WorkerClock {
    private let origin = ContinuousClock.now

    var now: Moment {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        return Moment(
            instant: Instant(nanoseconds: origin.duration(to: .now).nanoseconds),
            wall: WallTime(milliseconds: Int64(wall.tv_sec) * 1_000 + Int64(wall.tv_nsec) / 1_000_000))
    }

    func time(of instant: Instant) -> ContinuousClock.Instant { origin + .nanoseconds(instant.nanoseconds) }
}
