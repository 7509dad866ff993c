import AssemblerCore
import OrderedCollections
import Wire

/// What the assembler's store does, without a disk: the same changes, the same refusals, the same answers.
///
/// A commit is all or nothing, and survives every end of the process. `AssemblerStore` is the real one.
struct StoreModel {
    /// An order as its rows stand.
    final class Stored {
        var accepted: AcceptedOrder
        var isSealed = false
        var isCancelRequested = false
        var items: [Item] = []
        /// Where each page begins.
        var pageStarts: [Int] = []
        var outcomes: [Outcome] = []
        /// What each slot was settled with.
        var settled: [ItemStatus?] = []
        var attempts: [RestoredOrder.Attempt] = []
        var served: ServedRecord?

        init(_ accepted: AcceptedOrder) { self.accepted = accepted }
    }

    /// In the order of acceptance.
    private(set) var orders: OrderedDictionary<OrderID, Stored> = [:]
    private var keys: [String: OrderID] = [:]
    private(set) var incarnation: UInt32 = 0

    /// A change that the store would not take: a row is missing, or there already.
    struct Damage: Error, CustomStringConvertible {
        let description: String
    }

    /// Counts the start, and loads what has not ended.
    mutating func begin() throws(Damage) -> (incarnation: UInt32, orders: [RestoredOrder]) {
        incarnation += 1
        var restored: [RestoredOrder] = []
        for stored in orders.values where stored.served == nil {
            if stored.isSealed && stored.items.count != stored.accepted.itemCount {
                throw Damage(description: "order \(stored.accepted.id) is sealed without all of its items")
            }
            restored.append(
                RestoredOrder(
                    accepted: stored.accepted, isSealed: stored.isSealed,
                    isCancelRequested: stored.isCancelRequested, items: stored.items.map(ItemHead.init),
                    settled: stored.outcomes.map { .init(index: Int($0.index), status: $0.status) },
                    attempts: stored.attempts, lastLanding: stored.outcomes.count))
        }
        return (incarnation, restored)
    }

    /// - Throws: `Damage`, which ends the run: what was written before it stays.
    mutating func commit(_ changes: [Change]) throws(Damage) {
        for change in changes { try apply(change) }
    }

    private mutating func apply(_ change: Change) throws(Damage) {
        switch change {
        case .accepted(let order):
            let key = order.spec.key
            guard orders[order.id] == nil, key.isEmpty || keys[key] == nil else {
                throw Damage(description: "order \(order.id) or its key is there already")
            }
            orders[order.id] = Stored(order)
            if !key.isEmpty { keys[key] = order.id }
        case .page(let order, let firstIndex, let items):
            let stored = try stored(order)
            guard firstIndex == stored.items.count else {
                throw Damage(
                    description: "page \(firstIndex) of \(order) follows \(stored.items.count) items")
            }
            stored.items += items
            stored.pageStarts.append(firstIndex)
        case .reopened(let order):
            let stored = try stored(order.id)
            guard !stored.isSealed else {
                throw Damage(description: "\(order.id) is opened again, and sealed")
            }
            stored.accepted = order
        case .sealed(let order):
            let stored = try stored(order)
            stored.isSealed = true
            stored.settled = Array(repeating: nil, count: stored.items.count)
        case .abandoned(let order):
            guard let stored = orders[order], !stored.isSealed else {
                throw Damage(description: "abandoned order \(order) is not there, or sealed")
            }
            orders[order] = nil
            if !stored.accepted.spec.key.isEmpty { keys[stored.accepted.spec.key] = nil }
        case .attemptFailed(let order, let index, let record):
            try stored(order).attempts.append(.init(index: index, isLost: false, record: record))
        case .attemptLost(let order, let index, let record):
            try stored(order).attempts.append(.init(index: index, isLost: true, record: record))
        case .lossTakenBack(let order, let index, let lease, let instance):
            let stored = try stored(order)
            let before = stored.attempts.count
            stored.attempts.removeAll {
                $0.isLost && $0.index == index && $0.record.lease == lease && $0.record.instance == instance
            }
            guard stored.attempts.count < before else {
                throw Damage(description: "no loss of \(order)[\(index)] under \(lease.text)")
            }
        case .settled(let order, let outcomes): try stored(order).settle(outcomes)
        case .cancelRequested(let order, _): try stored(order).isCancelRequested = true
        case .served(let order, let record): try stored(order).served = record
        case .elapsed(let order, let elapsed): orders[order]?.served?.elapsed = elapsed
        }
    }

    private func stored(_ order: OrderID) throws(Damage) -> Stored {
        guard let stored = orders[order] else { throw Damage(description: "order \(order) is not there") }
        return stored
    }

    // MARK: Reading

    func known(order id: OrderID?, key: String) -> KnownOrder? {
        let stored = id.flatMap { orders[$0] } ?? keys[key].flatMap { orders[$0] }
        return stored.map {
            KnownOrder(
                id: $0.accepted.id, status: $0.served?.status ?? .running,
                fingerprint: $0.accepted.fingerprint)
        }
    }

    /// `nil` where the order is not known, or not accepted yet.
    func summary(of order: OrderID) -> OrderSummary? {
        guard let stored = orders[order], stored.isSealed else { return nil }
        return stored.summary
    }

    /// The page that holds an item.
    func page(of order: OrderID, containing index: Int) -> (firstIndex: Int, items: ArraySlice<Item>)? {
        guard let stored = orders[order], index < stored.items.count,
            let page = stored.pageStarts.lastIndex(where: { $0 <= index })
        else { return nil }
        let start = stored.pageStarts[page]
        let end = page + 1 < stored.pageStarts.count ? stored.pageStarts[page + 1] : stored.items.count
        return (start, stored.items[start..<end])
    }

    func item(_ index: Int, of order: OrderID) -> Item? {
        guard let items = orders[order]?.items, items.indices.contains(index) else { return nil }
        return items[index]
    }

    func outcomes(of order: OrderID, after landing: Int, countMax: Int) -> [Outcome] {
        guard let outcomes = orders[order]?.outcomes else { return [] }
        return Array(outcomes.dropFirst(landing).prefix(countMax))
    }

    func statuses(of order: OrderID) -> [ItemStatus] {
        guard let stored = orders[order] else { return [] }
        return stored.settled.map { $0 ?? .waiting }
    }

    /// The newest by their ids first.
    func list(_ status: OrderStatus?, before: OrderID?, countMax: Int) -> (orders: [OrderSummary], more: Bool)
    {
        let found = orders.values
            .filter { stored in stored.isSealed && before.map { stored.accepted.id < $0 } ?? true }
            .map(\.summary)
            .filter { status == nil || $0.status == status }
            .sorted { Array($0.order).lexicographicallyPrecedes(Array($1.order)) }
            .reversed()
        return (Array(found.prefix(countMax)), found.count > countMax)
    }
}

extension StoreModel.Stored {
    fileprivate func settle(_ new: [Outcome]) throws(StoreModel.Damage) {
        // Read where they stand: to walk over them would copy each.
        for position in new.indices {
            let (index, landing) = (Int(new[position].index), Int(new[position].landing))
            guard landing == outcomes.count + 1 else {
                throw StoreModel.Damage(
                    description: "landing \(landing) follows \(outcomes.count) in \(accepted.id)")
            }
            guard settled.indices.contains(index), settled[index] == nil else {
                throw StoreModel.Damage(
                    description: "\(accepted.id)[\(index)] is settled twice, or not there")
            }
            settled[index] = new[position].status
            outcomes.append(new[position])
        }
    }

    fileprivate var summary: OrderSummary {
        var counts = TrayCounts()
        for outcome in outcomes { counts.add(outcome.status) }
        return OrderSummary.with {
            $0.order = accepted.id.data
            $0.name = accepted.spec.name
            $0.status = served?.status ?? .running
            $0.itemCount = UInt32(accepted.itemCount)
            $0.doneCount = UInt32(counts.done)
            $0.failedCount = UInt32(counts.failed)
            $0.cancelledCount = UInt32(counts.cancelled)
            $0.expiredCount = UInt32(counts.expired)
            $0.poisonedCount = UInt32(counts.poisoned)
            $0.waitingCount = UInt32(accepted.itemCount - counts.settled)
            $0.acceptedAtMs = UInt64(clamping: accepted.acceptedAt.milliseconds)
            $0.finishedAtMs = UInt64(clamping: served?.at.milliseconds ?? 0)
            $0.elapsedUs = UInt64(clamping: served?.elapsed.microseconds ?? 0)
            $0.lastLanding = UInt32(counts.settled)
        }
    }
}
