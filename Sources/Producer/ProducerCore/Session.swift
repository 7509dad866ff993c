import Wire

/// The producer's side of one connection.
///
///     away ──link opened──▶ greeting ──welcome──▶ ready
///      ▲                     │  ▲  │                │
///      │      refused for now│  │  └─refused─▶ turnedAway
///      │                     ▼  │due               │
///      │                    pausing                │
///      └────── closed, or silent, from anywhere ───┘
struct Session: Equatable {
    private enum State: Equatable {
        /// No connection. Can go to `greeting`.
        case away
        /// Hello is said. Can go to any other.
        case greeting(until: Instant)
        /// The assembler takes no hello for now. Can go to `greeting` or `away`.
        case pausing(until: Instant, CallError)
        /// Can go to `away`.
        case ready(pageItemCountMax: Int)
        /// The assembler will not have us: every call fails with this. Can go to `away`, as when it is
        /// upgraded.
        case turnedAway(CallError)
    }

    private var state = State.away

    /// The most items of one page; `nil` unless ready.
    var pageItemCountMax: Int? {
        guard case .ready(let pageItemCountMax) = state else { return nil }
        return pageItemCountMax
    }

    /// What calls fail with at once.
    var dismissal: CallError? {
        guard case .turnedAway(let error) = state else { return nil }
        return error
    }

    /// What calls fail with when their time is up.
    var refusalForNow: CallError? {
        guard case .pausing(_, let error) = state else { return nil }
        return error
    }

    var isAway: Bool { state == .away }

    var isGreeting: Bool {
        guard case .greeting = state else { return false }
        return true
    }

    var nextDeadline: Instant? {
        switch state {
        case .away, .ready, .turnedAway: nil
        case .greeting(let until), .pausing(let until, _): until
        }
    }

    /// A hello goes out now.
    mutating func greet(now: Instant) {
        state = .greeting(until: now.advanced(by: Defaults.assemblerSilenceMax))
    }

    mutating func close() { state = .away }

    enum WelcomeAction: Equatable { case begin, failAll(CallError), ignore }

    /// The assembler has answered our hello.
    /// - Returns: `.ignore` when none is awaited: an assembler that greets twice changes nothing.
    mutating func welcome(_ welcome: ProducerWelcome) -> WelcomeAction {
        guard isGreeting else { return .ignore }
        guard (Frames.versions.lowest...Frames.versions.highest).contains(welcome.version) else {
            let error = CallError.malformed(
                message: "the welcome names version \(welcome.version), not one of ours")
            state = .turnedAway(error)
            return .failAll(error)
        }
        let theirs = welcome.pageItemCountMax == 0 ? Limits.pageItemCountMax : Int(welcome.pageItemCountMax)
        state = .ready(pageItemCountMax: min(theirs, Limits.pageItemCountMax))
        return .begin
    }

    enum RefusalAction: Equatable { case pause, reset, failAll(CallError), ignore }

    /// The assembler has not taken our hello.
    mutating func refuse(_ refusal: Refusal, now: Instant) -> RefusalAction {
        guard isGreeting else { return .ignore }
        if refusal.isForNow {
            state = .pausing(until: now.advanced(by: refusal.retryAfter), CallError(refusal))
            return .pause
        }
        if refusal.reason == .session {
            state = .away
            return .reset
        }
        let error = CallError(refusal)
        state = .turnedAway(error)
        return .failAll(error)
    }

    enum TickAction: Equatable { case greet, giveUp, wait }

    mutating func tick(now: Instant) -> TickAction {
        switch state {
        case .away, .ready, .turnedAway:
            return .wait
        case .greeting(let until):
            guard now >= until else { return .wait }
            state = .away
            return .giveUp
        case .pausing(let until, _):
            guard now >= until else { return .wait }
            greet(now: now)
            return .greet
        }
    }
}
