import Wire

/// Whether a worker is trusted at a station: one that only fails would draw all work, being always free.
///
///     trusted ──too many failures in a row──▶ paused ◀──────its one lease fails──────┐
///        ▲                                       └────pause over───▶ on trial ───────┤
///        └────────────────────────────── a success ──────────────────────────────────┘
struct Probation: Equatable {
    private enum State: Equatable {
        /// Takes what its capacity allows. Can go to `paused`.
        case trusted
        /// Takes nothing. Can go to `onTrial`, or to `trusted`.
        case paused(until: Instant, Duration, since: LeaseKey)
        /// Takes one lease at a time. Can go to `paused`, or to `trusted`.
        case onTrial(Duration, since: LeaseKey)
    }

    private var state = State.trusted
    /// Since the last success.
    private(set) var failureCount = 0
    /// What the last failure said, or nothing.
    private(set) var lastFailure = ""

    static let messageBytesMax = 200

    var isOn: Bool { state != .trusted }

    /// How many leases it may hold at once, capacity apart.
    var leaseCountMax: Int {
        switch state {
        case .trusted: .max
        case .paused: 0
        case .onTrial: 1
        }
    }

    /// What is left of its pause.
    func pauseLeft(now: Instant) -> Duration {
        guard case .paused(let until, _, _) = state else { return .zero }
        return max(.zero, now.duration(to: until))
    }

    enum FailureAction: Equatable {
        /// It is trusted still, or fails with what it got before it was not.
        case carryOn
        /// It gets nothing for so long; the first time is when its probation begins.
        case pause(Duration, isFirst: Bool)
    }

    /// - Parameters:
    ///   - lease: what failed. One that was given before the probation began says nothing new.
    ///   - youngest: the last lease that was given to anybody.
    mutating func fail(
        _ lease: LeaseKey, _ message: String, youngest: LeaseKey, rules: CoreConfiguration, now: Instant
    ) -> FailureAction {
        failureCount += 1
        lastFailure = message.clipped(toBytes: Probation.messageBytesMax)
        switch state {
        case .trusted:
            guard failureCount >= rules.probationFailureCount else { return .carryOn }
            return pause(rules.probationPause, since: youngest, isFirst: true, now: now)
        case .paused(_, let pause, let since), .onTrial(let pause, let since):
            guard lease > since else { return .carryOn }
            return self.pause(
                min(pause * 2, rules.probationPauseMax), since: since, isFirst: false, now: now)
        }
    }

    private mutating func pause(
        _ pause: Duration, since: LeaseKey, isFirst: Bool, now: Instant
    ) -> FailureAction {
        state = .paused(until: now.advanced(by: pause), pause, since: since)
        return .pause(pause, isFirst: isFirst)
    }

    /// - Returns: whether it is over; `false` when a later failure has set a later end.
    mutating func endPause(now: Instant) -> Bool {
        guard case .paused(let until, let pause, let since) = state, now >= until else { return false }
        state = .onTrial(pause, since: since)
        return true
    }

    /// - Returns: whether it was on probation until now.
    mutating func succeed() -> Bool {
        guard failureCount > 0 || isOn else { return false }
        defer { self = Probation() }
        return isOn
    }
}
