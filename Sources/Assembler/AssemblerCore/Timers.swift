import DequeModule
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
///
/// Most are those of attempts, each as a rule no earlier than the one that was set before it: such a row needs no heap.
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

    /// Of attempts, in the order of their instants.
    private var row: Deque<Entry> = []
    /// All others.
    private var heap = Heap<Entry>()
    private var sequence: UInt64 = 0
    private var countAfterPruning = 0

    var next: Instant? { first?.at }
    var count: Int { row.count + heap.count }

    private var isFirstInRow: Bool {
        guard let inRow = row.first else { return false }
        return heap.min.map { inRow < $0 } ?? true
    }
    private var first: Entry? { isFirstInRow ? row.first : heap.min }

    mutating func set(_ event: TimedEvent, at instant: Instant) {
        sequence += 1
        let entry = Entry(at: instant, sequence: sequence, event: event)
        if case .attemptTimeout = event, row.last.map({ $0.at <= instant }) ?? true {
            row.append(entry)
        } else {
            heap.insert(entry)
        }
    }

    mutating func popDue(_ now: Instant) -> TimedEvent? {
        guard let first, first.at <= now else { return nil }
        if isFirstInRow { row.removeFirst() } else { heap.removeMin() }
        return first.event
    }

    /// Stale timers may be the greater part: time to prune, so that memory follows the open work.
    var mayBeStale: Bool { count > 2 * countAfterPruning + 1_024 }

    /// Throws stale timers out.
    mutating func prune(isLive: (TimedEvent) -> Bool) {
        var left: Deque<Entry> = []
        for entry in row where isLive(entry.event) { left.append(entry) }
        row = left
        heap = Heap(heap.unordered.filter { isLive($0.event) })
        countAfterPruning = count
    }
}
