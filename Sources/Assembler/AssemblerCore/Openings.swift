import HeapModule

/// The places of a station that take a lease now, while leases are given there: the one with the most credit is first,
/// and of those with the same credit the one whose worker holds the fewest leases at all its stations. What dies with a
/// worker stays small.
struct Openings {
    private struct Opening: Comparable {
        let credit: Int
        let load: Int
        let place: Int

        static func < (left: Opening, right: Opening) -> Bool {
            if left.credit != right.credit { return left.credit < right.credit }
            if left.load != right.load { return left.load > right.load }
            return left.place > right.place
        }
    }

    private var heap: Heap<Opening>
    /// How many leases they take together.
    let credit: Int

    init(at station: Station, among sessions: Sessions) {
        let openings: [Opening] = station.places.indices.compactMap { place in
            let credit = station.places[place].credit
            guard credit > 0 else { return nil }
            let load = sessions[station.places[place].connection]?.leasedCount ?? 0
            return Opening(credit: credit, load: load, place: place)
        }
        credit = openings.reduce(0) { $0 + $1.credit }
        heap = Heap(openings)
    }

    /// Who gets the next item that any worker may have; `nil` when nobody has credit.
    var best: Int? { heap.max?.place }

    /// The best one got a lease.
    /// - Parameter credit: what it has left.
    mutating func take(leaving credit: Int) {
        guard let best = heap.max else { preconditionFailure("a lease was given, and nobody had credit") }
        if credit > 0 {
            heap.replaceMax(with: Opening(credit: credit, load: best.load + 1, place: best.place))
        } else {
            heap.removeMax()
        }
    }
}
