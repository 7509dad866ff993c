/// A point on a monotonic clock, in nanoseconds since an origin that only its own process knows.
///
/// Cores are handed instants and never fetch one.
public struct Instant: InstantProtocol, Hashable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public func advanced(by duration: Duration) -> Instant { advanced(byNanoseconds: duration.nanoseconds) }

    /// Saturates at both ends of time.
    public func advanced(byNanoseconds span: Int64) -> Instant {
        Instant(nanoseconds: nanoseconds.addingSaturated(span))
    }

    public func duration(to other: Instant) -> Duration { .nanoseconds(other.nanoseconds - nanoseconds) }

    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Of what may never come (`nil`), the nearest; `nil` where none of it comes.
    public static func earliest(_ first: Instant?, _ second: Instant?) -> Instant? {
        guard let first, let second else { return first ?? second }
        return min(first, second)
    }

    public static func earliest(_ first: Instant?, _ second: Instant?, _ third: Instant?) -> Instant? {
        earliest(earliest(first, second), third)
    }
}

/// Wall time, in milliseconds since 1970-01-01T00:00:00Z. For people, and for limits that outlive a restart.
public struct WallTime: Hashable, Comparable, Sendable {
    public var milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (left: WallTime, right: WallTime) -> Bool { left.milliseconds < right.milliseconds }

    /// Negative where `other` is the earlier one; spans beyond 292 million years saturate.
    public func duration(to other: WallTime) -> Duration {
        let (span, overflow) = other.milliseconds.subtractingReportingOverflow(milliseconds)
        guard overflow else { return .milliseconds(span) }
        return .milliseconds(other > self ? Int64.max : .min)
    }
}

/// Now, on both clocks.
public struct Moment: Hashable, Sendable {
    public var instant: Instant
    public var wall: WallTime

    public init(instant: Instant, wall: WallTime) {
        self.instant = instant
        self.wall = wall
    }
}

extension Duration {
    /// The whole of it in nanoseconds; durations beyond 292 years saturate.
    public var nanoseconds: Int64 {
        // Up to 18 seconds, which is most of them, without arithmetic of 128 bits.
        if let attoseconds = UInt64(exactly: attoseconds) { return Int64(attoseconds / 1_000_000_000) }
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds > 0 ? .max : .min }
        return product.addingSaturated(attoseconds / 1_000_000_000)
    }

    /// The whole of it in milliseconds, rounded towards zero.
    public var milliseconds: Int64 { nanoseconds / 1_000_000 }

    /// The whole of it in microseconds, rounded towards zero.
    public var microseconds: Int64 { nanoseconds / 1_000 }
}

extension Int64 {
    fileprivate func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        guard overflow else { return sum }
        return other > 0 ? .max : .min
    }
}
