import Wire

/// One lease whose handler has been started.
///
///     running ──revoked, timeout, draining──▶ stopping
///        │                                       │
///        └───────────handler ended───────────────┴──▶ gone: its result is held
struct RunningLease: Equatable {
    private enum State: Equatable {
        /// Can go to `stopping`.
        case running
        /// Its handler was told to stop, once, and has not ended yet. Final.
        case stopping(StopReason)
    }

    let claim: Claim
    let startedAt: Instant
    /// How long this attempt may take.
    let timeout: Duration
    private var state = State.running

    /// - Parameter stationTimeout: holds where it is smaller than the lease's own.
    init(_ lease: Lease, stationTimeout: Duration?, now: Instant) {
        claim = Claim.with {
            $0.lease = lease.lease
            $0.order = lease.order
            $0.index = lease.index
            $0.started = true
        }
        startedAt = now
        let leaseTimeout =
            lease.timeoutMs > 0
            ? Duration.milliseconds(Int64(clamping: lease.timeoutMs)) : Defaults.attemptTimeout
        timeout = min(leaseTimeout, stationTimeout ?? leaseTimeout)
    }

    var deadline: Instant { startedAt.advanced(by: timeout) }

    enum StopAction: Equatable { case stop(StopReason), ignore }

    /// - Returns: `.ignore` when its handler is stopping already: the first reason stands.
    mutating func stop(_ reason: StopReason) -> StopAction {
        guard case .running = state else { return .ignore }
        state = .stopping(reason)
        return .stop(reason)
    }

    /// What the assembler is told of this lease, now that its handler has ended.
    ///
    /// A success that comes after a revocation or during a drain may still be of use; one that comes after
    /// the timeout came too late. What a handler says that was told to stop is no failure of the item.
    func result(_ outcome: HandlerOutcome, contentBytesMax: Int, now: Instant) -> ItemResult {
        var result = ItemResult(claim)
        result.elapsedUs = UInt64(max(0, startedAt.duration(to: now).microseconds))
        switch (state, outcome) {
        case (.stopping(.timeout(let timeout)), _):
            result.failed = .timedOut(after: timeout)
        case (.running, .done(let content)), (.stopping, .done(let content)):
            if content.data.count <= contentBytesMax {
                result.done = content
            } else {
                result.failed = .tooLarge(bytes: content.data.count, bytesMax: contentBytesMax)
            }
        case (.stopping(.revoked), .failed):
            result.returned = .because(.revoked)
        case (.stopping(.draining), .failed):
            result.returned = .because(.draining)
        case (.running, .failed(let message, let isPermanent)):
            result.failed = .failed(message, isPermanent: isPermanent)
        }
        return result
    }
}

extension ItemResult {
    init(_ claim: Claim) {
        self.init()
        lease = claim.lease
        order = claim.order
        index = claim.index
    }
}

extension Returned {
    static func because(_ reason: Reason) -> Returned { Returned.with { $0.reason = reason } }
}

extension HandlerFailure {
    static func failed(_ message: String, isPermanent: Bool) -> HandlerFailure {
        HandlerFailure.with {
            $0.error.kind = .failed
            $0.error.message = message.cut(toBytes: Limits.errorMessageBytesMax)
            $0.permanent = isPermanent
        }
    }

    static func timedOut(after timeout: Duration) -> HandlerFailure {
        HandlerFailure.with {
            $0.error.kind = .timeout
            $0.error.message = "stopped after its timeout of \(timeout)"
        }
    }

    static func tooLarge(bytes: Int, bytesMax: Int) -> HandlerFailure {
        .failed("the result has \(bytes) bytes; the limit is \(bytesMax)", isPermanent: true)
    }
}

extension String {
    /// The longest beginning of at most `bytesMax` bytes of UTF-8 that ends between two characters.
    func cut(toBytes bytesMax: Int) -> String {
        guard utf8.count > bytesMax else { return self }
        var end = utf8.index(startIndex, offsetBy: bytesMax)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
