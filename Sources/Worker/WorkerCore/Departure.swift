import Wire

/// How a worker goes away.
///
///     serving ──drain──▶ finishing ──drain timeout──▶ stopping ──nothing runs──▶ acknowledging
///        │                   │                           ▲                            ▲
///        └────────────────hurry──────────────────────────┴────────────────────────────┘
///
/// Whatever its state, a departing worker is over as soon as nothing runs and nothing is held.
struct Departure: Equatable {
    private enum State: Equatable {
        /// Can go to `finishing` or `stopping`.
        case serving
        /// Running handlers may finish. Can go to `stopping`.
        case finishing(until: Instant)
        /// They were told to stop. Can go to `acknowledging`; what still runs in the end is left behind.
        case stopping(until: Instant, isHurried: Bool)
        /// Nothing runs, and results are held. Final; those that still are in the end are left behind.
        case acknowledging(until: Instant)
    }

    /// How long it waits for acknowledgements once the drain timeout is over and nothing runs any more.
    static let acknowledgeMax = Duration.seconds(2)
    /// How much longer than the drain timeout it waits for stopped handlers: a command has 2 s before it is
    /// killed.
    static let stopMax = Duration.seconds(5)
    /// How long a hurried worker waits for both.
    static let hurryMax = Duration.seconds(1)

    private var state = State.serving

    var isDeparting: Bool { state != .serving }

    var nextDeadline: Instant? {
        switch state {
        case .serving: nil
        case .finishing(let until), .stopping(let until, _), .acknowledging(let until): until
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
        switch state {
        case .serving, .finishing: state = .stopping(until: until, isHurried: true)
        case .stopping(let earlier, _): state = .stopping(until: min(earlier, until), isHurried: true)
        case .acknowledging(let earlier): state = .acknowledging(until: min(earlier, until))
        }
    }

    enum TickAction: Equatable { case stopHandlers, leave, wait }

    mutating func tick(isIdle: Bool, now: Instant) -> TickAction {
        switch state {
        case .serving:
            return .wait
        case .finishing(let until):
            guard now >= until else { return .wait }
            state =
                isIdle
                ? .acknowledging(until: until.advanced(by: Departure.acknowledgeMax))
                : .stopping(until: until.advanced(by: Departure.stopMax), isHurried: false)
            return .stopHandlers
        case .stopping(let until, let isHurried):
            guard isIdle else { return now >= until ? .leave : .wait }
            // From now, not from when they were told: the last handler's result goes out with this tick.
            let patience = now.advanced(by: Departure.acknowledgeMax)
            state = .acknowledging(until: isHurried ? until : patience)
            return .wait
        case .acknowledging(let until):
            return now >= until ? .leave : .wait
        }
    }
}
