import AssemblerCore
import SwiftProtobuf
import Wire

typealias SwiftProtobufMessage = SwiftProtobuf.Message

/// What the store would hold: the changes of an assembler's core, and what they must never say.
struct Ledger {
    private struct Order {
        var accepted: AcceptedOrder
        var itemCount = 0
        var isSealed = false
        var settled: Set<UInt32> = []
        var status: OrderStatus?
    }

    private var orders: [OrderID: Order] = [:]

    /// What the store knows of a submission that comes again.
    func known(_ message: ProducerMessage) -> KnownOrder? {
        guard case .submit(let submit) = message.body else { return nil }
        let order = OrderID(submit.order).flatMap { orders[$0] } ?? order(ofKey: submit.spec.key)
        return order.map {
            KnownOrder(
                id: $0.accepted.id, status: $0.status ?? .running, fingerprint: $0.accepted.fingerprint)
        }
    }

    private func order(ofKey key: String) -> Order? {
        key.isEmpty ? nil : orders.values.first { $0.accepted.spec.key == key }
    }

    mutating func commit(_ changes: [Change]) throws {
        for change in changes {
            switch change {
            case .accepted(let accepted):
                try check(orders[accepted.id] == nil, "\(accepted.id) is accepted twice")
                orders[accepted.id] = Order(accepted: accepted)
            case .reopened(let accepted):
                try check(
                    orders[accepted.id]?.isSealed == false,
                    "\(accepted.id) is opened again after it was accepted")
                orders[accepted.id]?.accepted = accepted
            case .page(let order, let firstIndex, let items):
                try check(orders[order]?.itemCount == firstIndex, "\(order) has a gap before \(firstIndex)")
                orders[order]?.itemCount += items.count
            case .sealed(let id):
                guard let order = orders[id] else {
                    throw Harness.Violation(description: "\(id) is not known")
                }
                try check(order.itemCount == order.accepted.itemCount, "\(id) is sealed before it is full")
                orders[id]?.isSealed = true
            case .abandoned(let order):
                try check(orders[order]?.isSealed == false, "\(order) is abandoned after it was accepted")
                orders[order] = nil
            case .settled(let order, let outcomes): try settle(order, outcomes)
            case .served(let order, let record): try serve(order, record)
            case .attemptFailed(let order, let index, _), .attemptLost(let order, let index, _),
                .lossTakenBack(let order, let index, _, _):
                try check(
                    orders[order]?.settled.contains(UInt32(index)) == false, "\(order)[\(index)] had ended")
            case .cancelRequested(let order, _), .elapsed(let order, _):
                try check(orders[order] != nil, "\(order) is not known")
            }
        }
    }

    private mutating func settle(_ id: OrderID, _ outcomes: [Outcome]) throws {
        guard var order = orders[id] else { throw Harness.Violation(description: "\(id) is not known") }
        try check(order.isSealed && order.status == nil, "\(id) is settled while it does not run")
        for outcome in outcomes {
            try check(outcome.index < order.itemCount, "\(id) has no item \(outcome.index)")
            try check(
                order.settled.insert(outcome.index).inserted, "\(id)[\(outcome.index)] is settled twice")
            try check(
                outcome.landing == order.settled.count, "\(id) has a gap before landing \(outcome.landing)")
        }
        orders[id] = order
    }

    private mutating func serve(_ id: OrderID, _ record: ServedRecord) throws {
        guard let order = orders[id] else { throw Harness.Violation(description: "\(id) is not known") }
        try check(order.status == nil && record.status.hasEnded, "\(id) is served twice, or not at all")
        try check(order.settled.count == order.itemCount, "\(id) is served with open slots")
        try check(record.counts.settled == order.itemCount, "\(id) is served with other counts")
        orders[id]?.status = record.status
    }

    /// Whether the core says the same of its orders as its changes did.
    func compare(_ core: AssemblerMachine, now: Moment) throws {
        for (id, order) in orders where order.isSealed {
            guard let summary = core.summary(of: id, now: now) else {
                try check(order.status != nil, "\(id) runs, and is forgotten")
                continue
            }
            let counts = [
                summary.doneCount, summary.failedCount, summary.cancelledCount, summary.expiredCount,
                summary.poisonedCount,
            ]
            let settledCount = counts.reduce(0, +)
            try check(settledCount == order.settled.count, "\(id) has settled \(settledCount) slots")
            try check(
                settledCount + summary.waitingCount + summary.leasedCount == order.itemCount,
                "the counts of \(id) do not add up")
            try check(summary.status == order.status ?? .running, "\(id) is \(summary.status.text)")
        }
        // Those that are announced and have not come yet have their room, too.
        let openCount = orders.values.reduce(0) { $0 + $1.accepted.itemCount - $1.settled.count }
        try check(core.openItems.count == openCount, "\(core.openItems.count) of \(openCount) items are open")
        let runningCount = orders.values.count { $0.isSealed && $0.status == nil }
        try check(core.openOrderCount == runningCount, "\(core.openOrderCount) of \(runningCount) orders run")
    }
}
