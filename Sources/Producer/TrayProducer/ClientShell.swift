import DequeModule
import Logging
import ProducerCore
import Synchronization
import Wire
import ZeroMQ

/// The I/O of one client: its link, its clock, and the tasks that wait for its calls.
///
/// Lives on a polling thread of its own, which is this actor's executor: link and core are touched nowhere
/// else. No method awaits between reading and writing the core.
actor ClientShell {
    typealias Answer = OrdersMessage.OneOf_Body

    private nonisolated let thread: PollingThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private enum State { case fresh, open, closed }

    /// Whether an assembler has ever answered a hello; before, the core sends no call.
    private nonisolated let welcomed = Atomic(false)
    nonisolated var hasBeenWelcomed: Bool { welcomed.load(ordering: .acquiring) }

    private let endpoint: String
    private let context: Context
    private let logger: Logger?
    private let clock = ContinuousClock()
    private let origin: ContinuousClock.Instant

    private var state = State.fresh
    private var client: Client
    private var link: Link?
    /// The core believes that there is a connection.
    private var isLinkUp = false
    /// What the link could not take yet: it goes first.
    private(set) var outbox: Deque<[[UInt8]]> = []
    private var callCount: UInt64 = 0
    private var waiting: [CallID: CheckedContinuation<Result<Answer, CallError>, any Error>] = [:]

    init(endpoint: String, program: String, logger: Logger?) throws(ZeroMQError) {
        self.endpoint = endpoint
        self.logger = logger
        context = try Context()
        thread = PollingThread(name: "tray-producer")
        client = Client(program: program)
        origin = clock.now
    }

    /// Asks until there is an answer.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, which abandons the call;
    /// `ProducerError.closed`.
    func ask(_ request: Request, timeout: Duration?) async throws -> Result<Answer, CallError> {
        callCount += 1
        let id = CallID(callCount)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                start(id, request, timeout: timeout, continuation)
            }
        } onCancel: {
            Task { await abandon(id) }
        }
    }

    /// Ends the link; calls that wait throw `ProducerError.closed`.
    func close() {
        guard state != .closed else { return }
        state = .closed
        link?.close()
        link = nil
        for continuation in waiting.values { continuation.resume(throwing: ProducerError.closed) }
        waiting.removeAll()
        thread.endRounds()
    }

    private func start(
        _ id: CallID, _ request: Request, timeout: Duration?,
        _ continuation: CheckedContinuation<Result<Answer, CallError>, any Error>
    ) {
        guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
        switch state {
        case .closed: return continuation.resume(throwing: ProducerError.closed)
        case .fresh: open()
        case .open: break
        }
        waiting[id] = continuation
        perform(client.handle(.start(id, request, timeout: timeout), now: now))
    }

    private func abandon(_ id: CallID) {
        // The answer may have been quicker than the cancellation.
        guard let continuation = waiting.removeValue(forKey: id) else { return }
        perform(client.handle(.abandon(id), now: now))
        continuation.resume(throwing: CancellationError())
    }

    private func open() {
        state = .open
        link = Link(
            context: context, endpoint: endpoint, thread: thread, maxMessageBytes: Limits.messageBytesMax,
            seed: .random(in: .min ... .max))
        thread.onRound { [weak self] in self?.assumeIsolated { $0.round() } }
    }
}

// MARK: - Rounds

extension ClientShell {
    private var now: Moment { Moment(instant: Instant(at: clock.now, since: origin), wall: .now) }

    /// Takes what has arrived, does what is due.
    /// - Returns: When it wants to be called again at the latest.
    private func round() -> ContinuousClock.Instant? {
        guard state == .open else { return nil }
        while let event = link?.next(now: clock.now) { take(event) }
        perform(client.tick(now: now))
        flush()
        let retry = outbox.isEmpty ? nil : clock.now.advanced(by: .milliseconds(1))
        let due = client.nextDeadline.map { origin.advanced(by: .nanoseconds($0.nanoseconds)) }
        return [link?.nextDeadline, due, retry].compactMap(\.self).min()
    }

    private func take(_ event: Link.Event) {
        switch event {
        case .opened:
            outbox.removeAll()
            isLinkUp = true
            perform(client.handle(.linkOpened, now: now))
        case .closed:
            isLinkUp = false
            logger?.debug("the connection is lost", metadata: ["endpoint": "\(endpoint)"])
            perform(client.handle(.linkClosed, now: now))
        case .message(let frames):
            do {
                perform(client.handle(.received(try Frames.decode(frames, as: OrdersMessage.self)), now: now))
            } catch {
                perform(client.handle(.undecodable(error), now: now))
            }
        }
    }

    private func perform(_ step: Client.Step) {
        for action in step.actions {
            switch action {
            case .send(let message):
                // Without a link the core knows already, or will, that this must be asked again.
                guard isLinkUp else { continue }
                outbox.append(Frames.encode(message))
                flush()
            case .resetLink: resetLink()
            case .finish(let id, let result): waiting.removeValue(forKey: id)?.resume(returning: result)
            case .note(let note): take(note)
            }
        }
    }

    private func flush() {
        while isLinkUp, let frames = outbox.first {
            switch link?.send(frames) {
            case .sent: outbox.removeFirst()
            case .full: return
            case .unreachable, nil: loseLink(because: "unreachable")
            case .failed(let error): loseLink(because: error.description)
            }
        }
    }

    private func loseLink(because reason: String) {
        logger?.warning("a send failed", metadata: ["endpoint": "\(endpoint)", "reason": "\(reason)"])
        resetLink()
        perform(client.handle(.linkClosed, now: now))
    }

    private func resetLink() {
        isLinkUp = false
        outbox.removeAll()
        link?.reset(now: clock.now)
    }

    private func take(_ note: Client.Note) {
        if case .welcomed = note { welcomed.store(true, ordering: .releasing) }
        guard var logger else { return }
        logger[metadataKey: "endpoint"] = "\(endpoint)"
        switch note {
        case .welcomed(let program, let incarnation):
            logger.debug("welcomed", metadata: ["assembler": "\(program)", "incarnation": "\(incarnation)"])
        case .helloRefused(let refusal):
            logger.warning(
                "the hello was refused", metadata: ["reason": "\(refusal.reason): \(refusal.message)"])
        case .assemblerSilent(let duration):
            logger.warning("the assembler is silent", metadata: ["for": "\(duration)"])
        case .undecodable(let error):
            logger.warning("not a message of the contract", metadata: ["reason": "\(error)"])
        case .answerIgnored(let total):
            logger.debug("an answer that nobody waits for", metadata: ["total": "\(total)"])
        case .postponed(let id, let pause, let message):
            logger.info(
                "refused for now",
                metadata: ["call": "\(id.number)", "again_in": "\(pause)", "reason": "\(message)"])
        }
    }
}

extension Instant {
    fileprivate init(at instant: ContinuousClock.Instant, since origin: ContinuousClock.Instant) {
        self.init(nanoseconds: origin.duration(to: instant).nanoseconds)
    }
}
