import DequeModule
import Wire

/// The leases that workers hold, by their keys.
///
/// Leases are numbered as they are given, and most end soon: the young ones stand in a row, by their numbers. Those
/// that outlive so many others that the row has more gaps than leases are kept by their keys, as are those of earlier
/// incarnations.
struct Leases {
    private let incarnation: UInt32
    /// Given by this incarnation, from `firstNumber` on; `nil` where a lease has ended.
    private var row: Deque<HeldLease?> = []
    private var firstNumber: UInt64 = 1
    private var countInRow = 0
    private var others: [LeaseKey: HeldLease] = [:]

    init(incarnation: UInt32) { self.incarnation = incarnation }

    var count: Int { countInRow + others.count }
    var isEmpty: Bool { count == 0 }

    /// Places in the row that hold nothing.
    var gapCount: Int { row.count - countInRow }

    /// In no particular order.
    var values: [HeldLease] { row.compactMap { $0 } + others.values }

    /// Setting `nil` removes.
    subscript(key: LeaseKey) -> HeldLease? {
        get {
            if let position = position(of: key) { return row[position] }
            return isOther(key) ? others[key] : nil
        }
        set {
            guard let newValue else { return remove(key) }
            if isOther(key) {
                others[key] = newValue
            } else if let position = position(of: key) {
                if row[position] == nil { countInRow += 1 }
                row[position] = newValue
            } else {
                give(newValue)
            }
        }
    }

    /// A lease of this incarnation. It follows the one that was given before it.
    mutating func give(_ lease: HeldLease) {
        precondition(
            lease.key.incarnation == incarnation && lease.key.number == firstNumber + UInt64(row.count),
            "lease \(lease.key) left out others")
        row.append(lease)
        countInRow += 1
    }

    mutating func remove(_ key: LeaseKey) {
        guard let position = position(of: key) else {
            if isOther(key) { others[key] = nil }
            return
        }
        if row[position] != nil { countInRow -= 1 }
        row[position] = nil
        shorten()
    }

    private func isOther(_ key: LeaseKey) -> Bool {
        key.incarnation != incarnation || key.number < firstNumber
    }

    private func position(of key: LeaseKey) -> Int? {
        guard !isOther(key), key.number - firstNumber < UInt64(row.count) else { return nil }
        return Int(key.number - firstNumber)
    }

    /// Takes the oldest out of the row while they have ended, or while there are more gaps than leases.
    private mutating func shorten() {
        while !row.isEmpty, row[0] == nil || row.count > 2 * countInRow + Leases.gapCountMax {
            firstNumber += 1
            guard let oldest = row.removeFirst() else { continue }
            countInRow -= 1
            others[oldest.key] = oldest
        }
    }

    /// So many gaps cost nothing.
    private static let gapCountMax = 1_024
}
