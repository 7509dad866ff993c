import Wire

/// When a process has its next round, and for which instants it is woken anyway.
///
/// An earlier alarm does not take a later one out of the schedule: that rings in vain, or is found there when it is
/// wanted again.
struct Alarm {
    private var due: Instant?
    /// Few; each has its event in the schedule.
    private var instants: [Instant] = []

    /// Makes the next round happen no later than `instant`.
    /// - Returns: whether an event has to be set for it.
    mutating func set(at instant: Instant) -> Bool {
        if let due, due <= instant { return false }
        due = instant
        guard !instants.contains(instant) else { return false }
        instants.append(instant)
        return true
    }

    /// An event that was set happens.
    /// - Returns: whether a round is due.
    mutating func ring(at instant: Instant) -> Bool {
        if let position = instants.firstIndex(of: instant) { instants.remove(at: position) }
        guard let due, due <= instant else { return false }
        self.due = nil
        return true
    }
}
