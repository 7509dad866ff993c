import Wire

/// An item of an order.
struct ItemKey: Hashable, Comparable {
    let order: OrderID
    let index: Int

    static func < (left: ItemKey, right: ItemKey) -> Bool {
        (left.order, left.index) < (right.order, right.index)
    }
}

/// One slot of a tray.
///
///        ┌────────── retry ───────────┐
///        ▼                            │
///     waiting ──lease──▶ leased ──fail──▶ resting
///        ▲                 │              │
///        └──── release ────┤              │
///                          └───settle─────┴──▶ settled      (from every other state)
struct Slot: Equatable {
    enum State: Equatable {
        /// Work to be done. Can go to `leased` and to `settled`.
        case waiting
        /// An attempt is under way. Can go to `waiting`, `resting` and `settled`, or to `leased` by a younger
        /// lease.
        case leased(LeaseKey)
        /// Failed, and waits for its next attempt. Can go to `waiting`, `settled`, or `leased` by a claim.
        case resting
        /// Final.
        case settled(ItemStatus)
    }

    private(set) var state = State.waiting
    private(set) var failureCount: UInt16 = 0
    private(set) var lossCount: UInt16 = 0
    /// Workers lost in a row: since the last attempt that ended with its worker alive.
    private(set) var lossesInRow: UInt16 = 0
    /// Which of its tray's kinds of items this is.
    let kind: UInt32

    init(kind: UInt32) { self.kind = kind }

    var isSettled: Bool {
        if case .settled = state { true } else { false }
    }

    var isWaiting: Bool { state == .waiting }

    /// The first loss is free; with the second an item is a suspect.
    static let suspectLossCount = 2

    var lease: LeaseKey? {
        if case .leased(let lease) = state { lease } else { nil }
    }

    /// Attempts begun: those that failed, those that were lost, and the one under way.
    var attemptCount: Int { endedAttemptCount + (lease == nil ? 0 : 1) }
    var endedAttemptCount: Int { Int(failureCount) + Int(lossCount) }

    /// - Returns: whether the slot was free for this lease.
    mutating func lease(_ lease: LeaseKey) -> Bool {
        switch state {
        case .waiting, .resting:
            state = .leased(lease)
            return true
        case .leased, .settled:
            return false
        }
    }

    /// A claim to an item that another lease holds.
    /// - Returns: the older lease that lost its place, or `nil` when the claim is the older one.
    mutating func supersede(by claim: LeaseKey) -> LeaseKey? {
        guard case .leased(let held) = state, held < claim else { return nil }
        state = .leased(claim)
        return held
    }

    enum ReleaseAction: Equatable { case offerAgain, ignore }

    /// The attempt is over and says nothing of the item.
    /// - Returns: `.ignore` when the slot has moved on since: a race, not an error.
    mutating func release(_ lease: LeaseKey, isLoss: Bool) -> ReleaseAction {
        guard state == .leased(lease) else { return .ignore }
        state = .waiting
        if isLoss { countLoss() }
        return .offerAgain
    }

    private mutating func countLoss() {
        lossCount = lossCount == .max ? .max : lossCount + 1
        lossesInRow = lossesInRow == .max ? .max : lossesInRow + 1
    }

    /// A worker that was lost is back: it had not died.
    /// - Parameter isOfRow: the loss is one of those in a row.
    mutating func takeBackLoss(ofRow isOfRow: Bool) {
        lossCount = lossCount == 0 ? 0 : lossCount - 1
        if isOfRow { lossesInRow = lossesInRow == 0 ? 0 : lossesInRow - 1 }
    }

    enum FailureAction: Equatable { case rest(failures: Int), settle, ignore }

    /// The attempt failed.
    /// - Returns: `.settle` when it was the last one: the caller settles. `.ignore` when the slot has moved
    ///   on.
    mutating func fail(_ lease: LeaseKey, isPermanent: Bool, attemptsMax: Int) -> FailureAction {
        guard state == .leased(lease) else { return .ignore }
        failureCount = failureCount == .max ? .max : failureCount + 1
        // Its worker lived: it told, or was heard until the time was up.
        lossesInRow = 0
        guard !isPermanent, Int(failureCount) < attemptsMax else {
            state = .waiting
            return .settle
        }
        state = .resting
        return .rest(failures: Int(failureCount))
    }

    /// The rest is over.
    /// - Returns: whether the slot waits again; `false` when it was settled meanwhile.
    mutating func wake() -> Bool {
        guard state == .resting else { return false }
        state = .waiting
        return true
    }

    /// - Returns: whether this was the first outcome; later ones change nothing.
    mutating func settle(_ status: ItemStatus) -> Bool {
        precondition(status.isSettled, "\(status) settles nothing")
        guard !isSettled else { return false }
        state = .settled(status)
        return true
    }

    /// Takes over what the store knows of an ended attempt.
    mutating func restore(isLoss: Bool) {
        if isLoss {
            countLoss()
        } else {
            failureCount = failureCount == .max ? .max : failureCount + 1
            lossesInRow = 0
        }
    }
}
