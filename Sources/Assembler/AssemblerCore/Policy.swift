import Wire

/// What an order's failure policy says after each outcome.
struct Policy: Equatable {
    enum Tolerance: Equatable {
        /// Every item runs to its own end.
        case all
        /// More bad endings than this break the policy.
        case count(Int)
        /// More bad endings than this share of the items, in hundredths of a percent, break it.
        case share(Int)
    }

    enum Verdict: Equatable {
        case goOn
        /// The order ends so; slots that are still open are settled as cancelled, for this reason.
        case end(OrderStatus, reason: String)
    }

    let tolerance: Tolerance
    /// The order is complete with so many done; `nil`: when all are settled.
    let enough: Int?

    init(_ spec: OrderSpec) {
        tolerance =
            switch spec.failure {
            case .isolate, .UNRECOGNIZED: .all
            case .failFast: .count(0)
            case .tolerateCount: .count(Int(spec.tolerated))
            case .tolerateShare: .share(Int(spec.tolerated))
            }
        enough = spec.enough == 0 ? nil : Int(spec.enough)
    }

    func verdict(_ counts: TrayCounts, itemCount: Int) -> Verdict {
        let openCount = itemCount - counts.settled
        if let enough {
            if counts.done >= enough { return .end(.complete, reason: "\(enough) items were enough") }
            if counts.done + openCount < enough {
                return .end(.failed, reason: "\(enough) done items could not be reached any more")
            }
        }
        if isBroken(counts, itemCount: itemCount) {
            let items = counts.settledBadly == 1 ? "1 item" : "\(counts.settledBadly) items"
            return .end(
                .failed, reason: "\(items) ended badly, and the order tolerates no more than \(limitText)")
        }
        guard openCount == 0 else { return .goOn }
        return .end(counts.settledBadly == 0 ? .complete : .partial, reason: "")
    }

    private func isBroken(_ counts: TrayCounts, itemCount: Int) -> Bool {
        switch tolerance {
        case .all: false
        case .count(let limit): counts.settledBadly > limit
        case .share(let limit): counts.settledBadly * 10_000 > limit * itemCount
        }
    }

    private var limitText: String {
        switch tolerance {
        case .all: "all"
        case .count(let limit): "\(limit)"
        case .share(let limit):
            limit % 100 == 0
                ? "\(limit / 100) %" : "\(limit / 100).\(limit % 100 < 10 ? "0" : "")\(limit % 100) %"
        }
    }
}
