import DequeModule

/// The places of a station that take a lease now, while leases are given there: the one with the most credit is first,
/// and of those with the same credit the one whose worker holds the fewest leases at all its stations. What dies with a
/// worker stays small.
///
/// A place that got a lease has one credit less, and comes after all that got theirs before it: those stand in a row by
/// themselves, and the first of all is the first of one row or of the other.
struct Openings {
    private struct Opening {
        let credit: Int
        let load: Int
        let place: Int

        func isBefore(_ other: Opening) -> Bool {
            if credit != other.credit { return credit > other.credit }
            if load != other.load { return load < other.load }
            return place < other.place
        }
    }

    /// Those that got no lease yet, the first one last.
    private var fresh: [Opening]
    /// Those that got leases and have credit left, the first one first.
    private var taken: Deque<Opening> = []
    /// How many leases they take together.
    let credit: Int

    init(at station: Station, among sessions: Sessions) {
        fresh = station.places.indices.compactMap { place in
            let credit = station.places[place].credit
            guard credit > 0 else { return nil }
            let load = sessions[station.places[place].connection]?.leasedCount ?? 0
            return Opening(credit: credit, load: load, place: place)
        }
        credit = fresh.reduce(0) { $0 + $1.credit }
        fresh.sort { $1.isBefore($0) }
    }

    private var isFreshFirst: Bool {
        guard let fresh = fresh.last else { return false }
        return taken.first.map { fresh.isBefore($0) } ?? true
    }

    /// Who gets the next item that any worker may have; `nil` when nobody has credit.
    var best: Int? { isFreshFirst ? fresh.last?.place : taken.first?.place }

    /// The best one got a lease.
    mutating func take() {
        guard let best = isFreshFirst ? fresh.popLast() : taken.popFirst() else {
            preconditionFailure("a lease was given, and nobody had credit")
        }
        guard best.credit > 1 else { return }
        taken.append(Opening(credit: best.credit - 1, load: best.load + 1, place: best.place))
    }
}
