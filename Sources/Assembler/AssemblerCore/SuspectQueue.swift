import DequeModule
import Wire

/// A station's suspects: items that have lost two workers in a row, or more. They run apart, group by group, on one
/// worker at a time that has nothing else, so that it is found out which of them ends its workers and no
/// other item is blamed.
struct SuspectQueue {
    /// The first group is next. An entry whose slot has moved on is passed over.
    private(set) var groups: Deque<[ItemKey]> = []
    /// Who runs a group, or finishes what it holds before it does.
    var examiner: ConnectionID?
    /// Where there is one worker only, it has to serve ordinary items until then, whichever process it is.
    var restsUntil: Instant?
    /// When a worker may run suspects again, where all of them rest.
    var alarm: Instant?

    var isEmpty: Bool { groups.isEmpty }
    var entryCount: Int { groups.reduce(0) { $0 + 1 + $1.count } }

    /// Suspects whose workers have just ended, or that come back for another reason. Those that lost the same
    /// worker last were together: that group is halved.
    /// - Parameter lastLost: the worker that an item lost last.
    mutating func add(_ items: [ItemKey], lastLost: (ItemKey) -> WorkerInstance?) {
        var workers: [WorkerInstance?] = []
        var together: [[ItemKey]] = []
        for item in items {
            let worker = lastLost(item)
            if let position = workers.firstIndex(of: worker) {
                together[position].append(item)
            } else {
                workers.append(worker)
                together.append([item])
            }
        }
        for group in together {
            let half = (group.count + 1) / 2
            groups.append(Array(group[..<half]))
            if half < group.count { groups.append(Array(group[half...])) }
        }
    }

    mutating func next() -> [ItemKey]? { groups.popFirst() }

    /// What did not fit comes next.
    mutating func putFirst(_ group: [ItemKey]) { groups.prepend(group) }

    /// What cannot run now waits behind the others.
    mutating func putLast(_ group: [ItemKey]) { groups.append(group) }
}

/// A worker that is reserved for suspects of one station.
///
///     (serving) ──chosen──▶ clearing ──runs nothing──▶ examining ──its last lease ended──▶ (serving)
///
/// A lease that was revoked runs no more, as far as this goes: a handler that does not stop holds up nobody. But a
/// worker that ends with one is no proof against a suspect beside it.
struct Examination: Equatable {
    enum Phase: Equatable {
        /// Finishes what it runs, and gets nothing. Can go to `examining`, or end for another worker's sake.
        case clearing
        /// Holds a group of suspects, and gets nothing else. Can only end.
        case examining
    }

    let station: StationIndex
    let since: Instant
    var phase: Phase
}

/// An item whose worker ended with it as its only lease.
struct Accusation: Equatable {
    let lease: HeldLease
    let worker: String
}
