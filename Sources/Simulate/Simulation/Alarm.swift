import Wire

/// When a process has its next round, and for which instants it is woken anyway.
///
/// An earlier alarm does not take a later one out of the schedule: that rings in vain, or is found there when it is
/// wanted again.
struct Alarm {
    private var due: Instant?
    /// Few; each has its event in the schedule.
    private var set: [Instant] = []

    /// Makes the next round happen no later than `instant`.
    /// - Returns: whether an event has to be set for it.
    mutating func set(at instant: Instant) -> Bool {
        if let due, due <= instant { return false }
        due = instant
        guard !set.contains(instant) else { return false }
        set.append(instant)
        return true
    }

    /// An event that was set happens.
    /// - Returns: whether a round is due.
    mutating func rings(at instant: Instant) -> Bool {
        if let position = set.firstIndex(of: instant) { set.remove(at: position) }
        guard let due, due <= instant else { return false }
        self.due = nil
        return true
    }
}
