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
    case handlerEnds(worker: Int, process: Int, LeaseKey, turn: Int)
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
    /// What the heap moves about is small; the event stays in its place.
    private struct Entry: Comparable {
        let at: Instant
        let sequence: UInt64
        let place: Int

        static func < (left: Entry, right: Entry) -> Bool {
            left.at == right.at ? left.sequence < right.sequence : left.at < right.at
        }

        static func == (left: Entry, right: Entry) -> Bool { left.sequence == right.sequence }
    }

    private var heap = Heap<Entry>()
    private var sequence: UInt64 = 0
    private var events: [Event] = []
    /// Places of events that have happened.
    private var freePlaces: [Int] = []

    mutating func set(_ event: consuming Event, at instant: Instant) {
        let place = freePlaces.popLast() ?? events.count
        if place == events.count {
            events.append(event)
        } else {
            events[place] = event
        }
        sequence += 1
        heap.insert(Entry(at: instant, sequence: sequence, place: place))
    }

    mutating func next() -> (at: Instant, event: Event)? {
        guard let entry = heap.popMin() else { return nil }
        freePlaces.append(entry.place)
        // Exchanged for one that holds nothing: the place keeps no message alive.
        var event = Event.fault
        swap(&event, &events[entry.place])
        return (entry.at, event)
    }
}
