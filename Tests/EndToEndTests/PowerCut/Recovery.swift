import AssemblerCore
import AssemblerStore
import Foundation
import Wire

/// What the real store makes of a disk after a power cut.
struct PowerCutFinding: CustomStringConvertible {
    enum Kind: String, CaseIterable { case lost, invented, refused, unsound }

    let kind: Kind
    let detail: String

    var description: String { "\(kind.rawValue): \(detail)" }
}

/// What was sent, so that what a store holds can be compared with it.
struct SentOrders: Sendable {
    /// By the orders' names: what each item gives back, and `nil` where it fails.
    var results: [String: [String?]] = [:]
}

/// Opens a store as a start of the assembler does, and compares all of it with what was sent and acknowledged.
struct PowerCutInspection {
    let path: String
    let sent: SentOrders
    /// Everything that was acknowledged before the cut.
    let acknowledged: ArraySlice<Acknowledgement>
    /// Ended orders may have been deleted: their time was over.
    let isRetentionOver: Bool

    private var findings: [PowerCutFinding] = []

    init(
        path: String, sent: SentOrders, acknowledged: ArraySlice<Acknowledgement>, isRetentionOver: Bool
    ) {
        self.path = path
        self.sent = sent
        self.acknowledged = acknowledged
        self.isRetentionOver = isRetentionOver
    }

    static func findings(
        path: String, sent: SentOrders, acknowledged: ArraySlice<Acknowledgement>, isRetentionOver: Bool
    ) -> [PowerCutFinding] {
        var inspection = PowerCutInspection(
            path: path, sent: sent, acknowledged: acknowledged, isRetentionOver: isRetentionOver)
        do throws(StoreError) {
            try inspection.run()
        } catch {
            inspection.add(.refused, "\(error)")
        }
        return inspection.findings
    }

    private mutating func run() throws(StoreError) {
        let store = try Store.open(path: path)
        let running = Set(
            try store.begin(at: WallTime(milliseconds: 1_790_000_000_000)).orders.filter(\.isSealed)
                .map(\.accepted.id))
        let listed = try store.list(status: nil, before: nil, countMax: 10_000).orders
        var orders: [OrderID: (summary: OrderSummary, outcomes: [Outcome])] = [:]
        for summary in listed {
            guard let id = OrderID(summary.order) else {
                add(.invented, "an order without an id")
                continue
            }
            orders[id] = (summary, try outcomes(of: id, summary, in: store))
            if (summary.status == .running) != running.contains(id) {
                add(.unsound, "\(id) runs, and does not")
            }
        }
        for acknowledgement in acknowledged { compare(acknowledgement.content, with: orders) }
        try store.close()
        for problem in try Store.verify(path: path).problems { add(.unsound, "\(problem)") }
    }

    /// Its outcomes, compared with what was sent.
    private mutating func outcomes(
        of id: OrderID, _ summary: OrderSummary, in store: Store
    ) throws(StoreError) -> [Outcome] {
        guard let results = sent.results[summary.name] else {
            add(.invented, "order \(id), “\(summary.name)”")
            return []
        }
        let items = try store.items(of: id, from: 0, countMax: results.count + 1)
        if items.map(\.name) != results.indices.map({ "\(summary.name)/\($0)" }) {
            add(.invented, "the items of \(summary.name) are \(items.map(\.name))")
        }
        let outcomes = try store.outcomes(of: id, after: 0, countMax: results.count + 1, bytesMax: .max)
        if outcomes.map(\.landing) != (0..<outcomes.count).map({ UInt32($0 + 1) })
            || Set(outcomes.map(\.index)).count != outcomes.count
        {
            add(.unsound, "the landings of \(summary.name)")
        }
        for outcome in outcomes {
            let index = Int(outcome.index)
            let result = outcome.status == .done ? String(decoding: outcome.result.data, as: UTF8.self) : nil
            if !results.indices.contains(index) || results[index] != result {
                add(.invented, "the outcome of \(summary.name)/\(index) is \(result ?? "none")")
            }
        }
        return outcomes
    }

    private mutating func compare(
        _ content: Acknowledgement.Content,
        with orders: [OrderID: (summary: OrderSummary, outcomes: [Outcome])]
    ) {
        switch content {
        case .receipt(let order):
            if orders[order] == nil && !isRetentionOver { add(.lost, "order \(order)") }
        case .outcome(let order, let landed):
            guard let kept = orders[order]?.outcomes else {
                if !isRetentionOver { add(.lost, "order \(order) with its outcome \(landed.landing)") }
                return
            }
            guard kept.indices.contains(landed.landing - 1) else {
                return add(.lost, "outcome \(landed.landing) of \(order)")
            }
            let found = kept[landed.landing - 1].landed
            if found != landed { add(.lost, "\(landed) of \(order): there is \(found)") }
        case .end(let order, let status, let done):
            guard let summary = orders[order]?.summary else {
                if !isRetentionOver { add(.lost, "order \(order), which has ended") }
                return
            }
            if summary.status.word != status || Int(summary.doneCount) != done {
                add(.lost, "the end of \(order): it is \(summary.status.word)")
            }
        }
    }

    private mutating func add(_ kind: PowerCutFinding.Kind, _ detail: String) {
        findings.append(PowerCutFinding(kind: kind, detail: detail))
    }
}

extension Outcome {
    fileprivate var landed: Acknowledgement.Landed {
        Acknowledgement.Landed(
            landing: Int(landing), index: Int(index), status: "\(status)", attempts: Int(attempts),
            worker: worker.isEmpty ? nil : worker,
            result: status == .done ? String(decoding: result.data, as: UTF8.self) : "")
    }
}

extension OrderStatus {
    /// As producers print it.
    fileprivate var word: String { "\(self)" }
}
