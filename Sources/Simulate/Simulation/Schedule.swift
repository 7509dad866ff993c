import HeapModule
import Wire

/// Who takes part.
enum Party: Hashable {
    case assembler
    case worker(Int)
    case producer(Int)
}

/// What will happen.
enum Event {
    /// Frames arrive at the assembler, or at the client, of a connection.
    case toAssembler(connection: Int, [[UInt8]])
    case toClient(connection: Int, [[UInt8]])
    /// One side of a connection learns that it is closed.
    case assemblerHearsEnd(connection: Int)
    case clientHearsEnd(connection: Int)
    /// A client tries to connect.
    case connect(Party, process: Int)
    /// A party's round.
    case wake(Party, process: Int)
    case handlerEnds(worker: Int, process: Int, LeaseID, turn: Int)
    /// A supervisor starts a process.
    case start(Party)
    /// The next fault.
    case fault
    case thaw(Party)
    case errand(producer: Int, Int)
    /// A producer ends that will not come back for what it had begun.
    case vanish(producer: Int, process: Int)
}

/// What will happen, the nearest first; of one instant in the order in which it was set.
struct Schedule {
    private struct Entry: Comparable {
        let at: Instant
        let sequence: UInt64
        let event: Event

        static func < (left: Entry, right: Entry) -> Bool {
            (left.at.nanoseconds, left.sequence) < (right.at.nanoseconds, right.sequence)
        }

        static func == (left: Entry, right: Entry) -> Bool { left.sequence == right.sequence }
    }

    private var heap = Heap<Entry>()
    private var sequence: UInt64 = 0

    mutating func set(_ event: Event, at instant: Instant) {
        sequence += 1
        heap.insert(Entry(at: instant, sequence: sequence, event: event))
    }

    mutating func next() -> (at: Instant, event: Event)? {
        heap.popMin().map { ($0.at, $0.event) }
    }
}
