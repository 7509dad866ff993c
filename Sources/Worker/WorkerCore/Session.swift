import Wire

/// The worker's side of one connection.
///
///     away ──link opened──▶ greeting ──welcome──▶ working
///      ▲                    │      │                 │
///      │                    │   refusal              │
///      │                    │      ▼                 │
///      │                    │   refused              │
///      │                    │      │                 │
///      └───closed, or silent┴──────┴─────────────────┘
struct Session: Equatable {
    private enum State: Equatable {
        /// No connection. Can go to `greeting`.
        case away
        /// Hello is said. Can go to `working` or `refused`, or to `away` when no answer comes.
        case greeting(until: Instant)
        /// Not now. Can go to `away` only: hello is said again on a fresh connection.
        case refused(until: Instant)
        /// Can go to `away` when the connection closes, or the assembler falls silent.
        case working(Terms, nextBeat: Instant, silentAt: Instant)
    }

    /// What the welcome laid down for this session.
    struct Terms: Equatable {
        let number: UInt64
        let beatInterval: Duration
        /// So long a silence of the assembler makes the worker give the connection up (FM-40).
        let silenceMax: Duration

        /// `nil` where the welcome breaks the contract.
        init?(_ welcome: WorkerWelcome) {
            let versions = Frames.versions
            guard (versions.lowest...versions.highest).contains(welcome.version), welcome.session > 0,
                welcome.heartbeatIntervalMs > 0, welcome.heartbeatLimit > 0
            else { return nil }
            number = welcome.session
            beatInterval = .milliseconds(Int64(welcome.heartbeatIntervalMs))
            silenceMax = beatInterval * Int(welcome.heartbeatLimit) * 3
        }
    }

    /// How long a hello may go unanswered, and how long a refused one is not said again at least.
    static let greetingMax = Duration.seconds(2)
    /// No assembler is waited for longer than this because it has asked for it.
    static let retryAfterMax = Duration.seconds(3_600)

    private var state = State.away

    /// The number that every message of this session bears; `nil` before the welcome.
    var number: UInt64? {
        guard case .working(let terms, _, _) = state else { return nil }
        return terms.number
    }

    var isGreeting: Bool {
        guard case .greeting = state else { return false }
        return true
    }

    var nextDeadline: Instant? {
        switch state {
        case .away: nil
        case .greeting(let until), .refused(let until): until
        case .working(_, let nextBeat, let silentAt): min(nextBeat, silentAt)
        }
    }

    /// A fresh connection is up: hello goes out now. What an earlier connection was about is over.
    mutating func open(now: Instant) {
        state = .greeting(until: now.advanced(by: Session.greetingMax))
    }

    mutating func close() { state = .away }

    enum WelcomeAction: Equatable { case begin, giveUp, ignore }

    /// The assembler has answered our hello.
    /// - Returns: `.giveUp` when the welcome breaks the contract; `.ignore` when none is awaited: an
    ///   assembler that greets twice changes nothing.
    mutating func welcome(_ welcome: WorkerWelcome, now: Instant) -> WelcomeAction {
        guard case .greeting = state else { return .ignore }
        guard let terms = Terms(welcome) else {
            state = .away
            return .giveUp
        }
        state = .working(terms, nextBeat: now, silentAt: now.advanced(by: terms.silenceMax))
        return .begin
    }

    /// The assembler does not take this worker now.
    ///
    /// - Parameter retryAfter: how soon it wants to be asked again at the earliest. The end of the connection
    ///   ends that, too: another assembler may be there.
    mutating func refuse(retryAfter: Duration, now: Instant) {
        // A refusal within a session is about one message of it.
        guard case .greeting(let until) = state else { return }
        state = .refused(until: max(until, now.advanced(by: min(retryAfter, Session.retryAfterMax))))
    }

    /// Something came from the assembler; whatever it is, it lives.
    mutating func hear(now: Instant) {
        guard case .working(let terms, let nextBeat, _) = state else { return }
        state = .working(terms, nextBeat: nextBeat, silentAt: now.advanced(by: terms.silenceMax))
    }

    enum TickAction: Equatable { case beat, giveUpHello, greetAgain, giveUpSilent(Duration), wait }

    mutating func tick(now: Instant) -> TickAction {
        switch state {
        case .away:
            return .wait
        case .greeting(let until):
            guard now >= until else { return .wait }
            state = .away
            return .giveUpHello
        case .refused(let until):
            guard now >= until else { return .wait }
            state = .away
            return .greetAgain
        case .working(let terms, let nextBeat, let silentAt):
            guard now < silentAt else {
                state = .away
                return .giveUpSilent(terms.silenceMax)
            }
            guard now >= nextBeat else { return .wait }
            // From now, not from when it was due: a worker that slept owes no heartbeats.
            state = .working(terms, nextBeat: now.advanced(by: terms.beatInterval), silentAt: silentAt)
            return .beat
        }
    }
}
