import Wire

/// Which workers ended while they ran which items of a tray.
///
/// Kept for unsettled items that have lost one: few, and for a while.
struct Losses {
    /// One attempt that ended with its worker.
    struct Loss: Equatable {
        let lease: LeaseKey
        let worker: String
        let instance: WorkerInstance
    }

    /// An item that loses more workers than this remembers the last of them.
    static let rememberedCountMax = 100
    /// An attempt that ended before its worker said that it began is free so often; after that it counts, or
    /// an item that is quicker than that word would kill for ever.
    static let unseenCountMax = 2

    private var byIndex: [Int: [Loss]] = [:]
    private var unseenCounts: [Int: Int] = [:]

    var isEmpty: Bool { byIndex.isEmpty }
    var count: Int { byIndex.values.reduce(unseenCounts.count) { $0 + $1.count } }
    /// Items that have lost a worker, in their order.
    var indexes: [Int] { byIndex.keys.sorted() }

    func of(_ index: Int) -> [Loss] { byIndex[index] ?? [] }

    /// - Returns: the loss that is not remembered any more, to make room.
    mutating func add(_ loss: Loss, to index: Int) -> Loss? {
        var losses = byIndex[index] ?? []
        let forgotten = losses.count < Losses.rememberedCountMax ? nil : losses.removeFirst()
        losses.append(loss)
        byIndex[index] = losses
        return forgotten
    }

    /// The attempt had not begun, as far as anybody knows.
    /// - Returns: whether it counts all the same.
    mutating func countsUnseen(_ index: Int) -> Bool {
        unseenCounts[index, default: 0] += 1
        return unseenCounts[index, default: 0] > Losses.unseenCountMax
    }

    /// This worker lives: what was lost with it was not.
    /// - Returns: the leases that it held then, and how many losses came after each.
    mutating func takeBack(
        _ index: Int, from instance: WorkerInstance
    ) -> [(lease: LeaseKey, laterCount: Int)] {
        let losses = of(index)
        let taken = losses.indices.filter { losses[$0].instance == instance }
        let left = losses.filter { $0.instance != instance }
        byIndex[index] = left.isEmpty ? nil : left
        return taken.map { (losses[$0].lease, losses.count - 1 - $0) }
    }

    /// The item is settled.
    /// - Returns: what was remembered of it.
    mutating func forget(_ index: Int) -> [Loss] {
        if byIndex.isEmpty && unseenCounts.isEmpty { return [] }
        unseenCounts[index] = nil
        return byIndex.removeValue(forKey: index) ?? []
    }
}
