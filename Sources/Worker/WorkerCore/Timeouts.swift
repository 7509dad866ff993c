import HeapModule
import Wire

/// When the running handlers reach their timeouts.
///
/// A lease that ends early stays in the heap until its time comes or `prune` is called, so that its end costs
/// nothing.
struct Timeouts {
    private struct Entry: Comparable {
        let deadline: Instant
        let lease: LeaseKey

        static func < (left: Entry, right: Entry) -> Bool {
            (left.deadline, left.lease) < (right.deadline, right.lease)
        }
    }

    private var heap = Heap<Entry>()

    /// Not later than the next timeout of a lease that still runs.
    var next: Instant? { heap.min?.deadline }

    mutating func add(_ lease: LeaseKey, at deadline: Instant) {
        heap.insert(Entry(deadline: deadline, lease: lease))
    }

    /// Takes a lease whose time has come; it may have ended long ago.
    mutating func popDue(now: Instant) -> LeaseKey? {
        guard let first = heap.min, first.deadline <= now else { return nil }
        return heap.removeMin().lease
    }

    /// Forgets the ended ones, once they are most of the heap.
    mutating func prune(runningCount: Int, isRunning: (LeaseKey) -> Bool) {
        guard heap.count > 2 * runningCount + 64 else { return }
        heap = Heap(heap.unordered.filter { isRunning($0.lease) })
    }
}
