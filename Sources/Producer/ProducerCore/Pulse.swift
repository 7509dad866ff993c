import Wire

/// Whether the assembler still talks while something is asked of it (FM-40).
///
///     resting ──listen──▶ listening ──quiet for 500 ms──▶ probing ──quiet for 6 s──▶ resting
///        ▲                   │  ▲                            │
///        └───────rest────────┘  └───────────heard────────────┘
struct Pulse: Equatable {
    private enum State: Equatable {
        /// Nothing is asked. Can go to `listening`.
        case resting
        /// Can go to `probing`, or to `resting`.
        case listening(heardAt: Instant)
        /// A ping is out. Can go to `listening`, or to `resting`.
        case probing(heardAt: Instant)
    }

    static let pingAfter = Defaults.heartbeatInterval
    static let silenceMax = Defaults.assemblerSilenceMax

    private var state = State.resting

    var nextDeadline: Instant? {
        switch state {
        case .resting: nil
        case .listening(let heardAt): heardAt.advanced(by: Pulse.pingAfter)
        case .probing(let heardAt): heardAt.advanced(by: Pulse.silenceMax)
        }
    }

    /// Something is asked from now on. What was heard before does not matter: nobody had to talk.
    mutating func listen(now: Instant) {
        guard state == .resting else { return }
        state = .listening(heardAt: now)
    }

    /// Nothing is asked any more.
    mutating func rest() { state = .resting }

    mutating func hear(now: Instant) {
        switch state {
        case .resting: break
        case .listening, .probing: state = .listening(heardAt: now)
        }
    }

    enum TickAction: Equatable { case ping, giveUp, wait }

    mutating func tick(now: Instant) -> TickAction {
        switch state {
        case .resting:
            return .wait
        case .listening(let heardAt):
            guard now >= heardAt.advanced(by: Pulse.pingAfter) else { return .wait }
            state = .probing(heardAt: heardAt)
            return .ping
        case .probing(let heardAt):
            guard now >= heardAt.advanced(by: Pulse.silenceMax) else { return .wait }
            state = .resting
            return .giveUp
        }
    }
}
