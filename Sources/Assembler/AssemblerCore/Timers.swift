import HeapModule
import Wire

/// What the assembler waits for. A timer whose subject has moved on is stale, and is dropped when it comes
/// up.
enum TimedEvent: Equatable {
    case attemptTimeout(LeaseKey)
    case retry(ItemKey)
    case orderDeadline(OrderID)
    case orderBegins(OrderID)
    case fillingSilence(OrderID)
    case workerSilence(ConnectionID)
    case producerSilence(ConnectionID)
    case recoveryEnds
    /// A worker's pause at a station is over.
    case probationPause(ConnectionID, StationIndex)
    /// A worker may run suspects of this station again.
    case examinationDue(StationIndex)
    /// Nothing but a round: so that a gap between rounds means that nobody listened.
    case pulse
}

/// A queue of deadlines, the nearest first; those of one instant in the order in which they were set.
struct Timers {
    private struct Entry: Comparable {
        let at: Instant
        let sequence: UInt64
        let event: TimedEvent

        static func < (left: Entry, right: Entry) -> Bool {
            (left.at.nanoseconds, left.sequence) < (right.at.nanoseconds, right.sequence)
        }

        static func == (left: Entry, right: Entry) -> Bool { left.sequence == right.sequence }
    }

    private var heap = Heap<Entry>()
    private var sequence: UInt64 = 0
    private var countAfterPruning = 0

    var next: Instant? { heap.min?.at }
    var count: Int { heap.count }

    mutating func set(_ event: TimedEvent, at instant: Instant) {
        sequence += 1
        heap.insert(Entry(at: instant, sequence: sequence, event: event))
    }

    mutating func popDue(_ now: Instant) -> TimedEvent? {
        guard let first = heap.min, first.at <= now else { return nil }
        heap.removeMin()
        return first.event
    }

    /// Stale timers may be the greater part: time to prune, so that memory follows the open work.
    var mayBeStale: Bool { heap.count > 2 * countAfterPruning + 1_024 }

    /// Throws stale timers out.
    mutating func prune(isLive: (TimedEvent) -> Bool) {
        heap = Heap(heap.unordered.filter { isLive($0.event) })
        countAfterPruning = heap.count
    }
}
