import Wire

/// A lease's id, without what a message carries beside it: it is looked up all the time.
struct LeaseNumber: Hashable, Comparable {
    var incarnation: UInt32 = 0
    var number: UInt64 = 0

    /// Younger leases are greater.
    static func < (left: LeaseNumber, right: LeaseNumber) -> Bool {
        left.incarnation == right.incarnation
            ? left.number < right.number : left.incarnation < right.incarnation
    }

    /// Incarnations are few.
    func hash(into hasher: inout Hasher) { hasher.combine(number ^ UInt64(incarnation) << 48) }

    var text: String { "\(incarnation)-\(number)" }
}

extension LeaseNumber {
    init(_ lease: LeaseID) { self.init(incarnation: lease.incarnation, number: lease.number) }
}
