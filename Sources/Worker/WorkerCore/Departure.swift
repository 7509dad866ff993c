import Wire

/// How a worker goes away.
///
///     serving ──drain──▶ finishing ──drain timeout──▶ stopping
///        │                   │                           ▲
///        └────────────────hurry──────────────────────────┘
///
/// Whatever its state, a departing worker is over as soon as nothing runs and nothing is held.
struct Departure: Equatable {
    private enum State: Equatable {
        /// Can go to `finishing` or `stopping`.
        case serving
        /// Running handlers may finish. Can go to `stopping`.
        case finishing(until: Instant)
        /// They were told to stop. Final; what is left at the second instant is left behind.
        case stopping(idleUntil: Instant, until: Instant)
    }

    /// How much longer than the drain timeout it waits for acknowledgements once nothing runs any more.
    static let acknowledgeMax = Duration.seconds(2)
    /// How much longer than the drain timeout it waits for stopped handlers: a command has 2 s before it is
    /// killed.
    static let stopMax = Duration.seconds(5)
    /// How long a hurried worker waits for either.
    static let hurryMax = Duration.seconds(1)

    private var state = State.serving

    var isDeparting: Bool { state != .serving }

    func nextDeadline(isIdle: Bool) -> Instant? {
        switch state {
        case .serving: nil
        case .finishing(let until): until
        case .stopping(let idleUntil, let until): isIdle ? idleUntil : until
        }
    }

    /// - Returns: `false` when it is on its way already.
    mutating func drain(timeout: Duration, now: Instant) -> Bool {
        guard case .serving = state else { return false }
        state = .finishing(until: now.advanced(by: timeout))
        return true
    }

    /// A later deadline never replaces an earlier one.
    mutating func hurry(now: Instant) {
        let until = now.advanced(by: Departure.hurryMax)
        guard case .stopping(let earlierIdle, let earlier) = state else {
            state = .stopping(idleUntil: until, until: until)
            return
        }
        state = .stopping(idleUntil: min(earlierIdle, until), until: min(earlier, until))
    }

    enum TickAction: Equatable { case stopHandlers, leave, wait }

    mutating func tick(isIdle: Bool, now: Instant) -> TickAction {
        switch state {
        case .serving:
            return .wait
        case .finishing(let until):
            guard now >= until else { return .wait }
            state = .stopping(
                idleUntil: until.advanced(by: Departure.acknowledgeMax),
                until: until.advanced(by: Departure.stopMax))
            return .stopHandlers
        case .stopping(let idleUntil, let until):
            return now >= (isIdle ? idleUntil : until) ? .leave : .wait
        }
    }
}
