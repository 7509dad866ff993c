/// A lease's id, without what a message carries beside it: it is looked up all the time.
package struct LeaseKey: Hashable, Comparable, Sendable {
    package let incarnation: UInt32
    package let number: UInt64

    package init(incarnation: UInt32, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }

    package init(_ id: LeaseID) { self.init(incarnation: id.incarnation, number: id.number) }

    package var id: LeaseID { LeaseID(incarnation: incarnation, number: number) }

    /// Incarnations are few.
    package func hash(into hasher: inout Hasher) { hasher.combine(number ^ UInt64(incarnation) << 48) }

    /// Younger leases are greater.
    package static func < (left: LeaseKey, right: LeaseKey) -> Bool {
        left.incarnation == right.incarnation
            ? left.number < right.number : left.incarnation < right.incarnation
    }

    /// As handlers see it: `incarnation-number`.
    package var text: String { "\(incarnation)-\(number)" }
}
