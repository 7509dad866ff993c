import AssemblerCore
import AssemblerStore
import Wire

/// Answers that come out of the store, with what a core knows better about orders that run.
struct StoreAnswers {
    private let store: Store
    private var pages = PageCache(bytesMax: 64 << 20)

    init(_ store: Store) { self.store = store }

    mutating func page(of order: OrderID, containing index: Int) throws(StoreError) -> PageCache.Page? {
        if let cached = pages.page(of: order, containing: index) { return cached }
        guard let read = try store.page(of: order, containing: index) else { return nil }
        pages.insert(order, firstIndex: read.firstIndex, items: read.items)
        return PageCache.Page(firstIndex: read.firstIndex, items: read.items)
    }

    /// Keeps the pages of these changes at hand.
    mutating func remember(_ changes: [Change]) {
        for change in changes {
            switch change {
            case .page(let order, let firstIndex, let items):
                pages.insert(order, firstIndex: firstIndex, items: items)
            case .served(let order, _), .abandoned(let order):
                pages.remove(order)
            case .accepted, .reopened, .sealed, .attemptFailed, .attemptLost, .lossTakenBack, .settled,
                .cancelRequested, .elapsed:
                break
            }
        }
    }

    /// - Parameter summary: the core's, for an order that runs.
    func outcomes(
        of order: OrderID, after landing: Int, countMax: Int, summary: OrderSummary? = nil
    ) throws(StoreError) -> OrdersMessage.OneOf_Body {
        guard let summary = try self.summary(of: order, current: summary) else {
            return .refusal(StoreAnswers.notFound(order))
        }
        let outcomes = try store.outcomes(
            of: order, after: landing, countMax: countMax, bytesMax: Limits.batchBytesAim)
        return .outcomes(
            OutcomeBatch.with {
                $0.outcomes = outcomes
                $0.summary = summary
            })
    }

    /// One stored page at the most: slots by slots, whatever their payloads weigh.
    /// - Parameters:
    ///   - summary: the core's, for an order that runs.
    ///   - slots: the core's, from `index` on; what is beyond the page is left out.
    mutating func tray(
        of order: OrderID, from index: Int, countMax: Int, summary: OrderSummary? = nil,
        slots: [SlotView]? = nil
    ) throws(StoreError) -> OrdersMessage.OneOf_Body {
        guard let summary = try self.summary(of: order, current: summary) else {
            return .refusal(StoreAnswers.notFound(order))
        }
        var tray = TrayPage()
        tray.summary = summary
        guard countMax > 0, index < summary.itemCount, let page = try page(of: order, containing: index)
        else {
            return .tray(tray)
        }
        let items = page.items[(index - page.firstIndex)...].prefix(countMax)
        var views = slots ?? []
        if slots == nil {
            views = try store.slotStatuses(of: order, from: index, countMax: items.count)
                .map { SlotView(status: $0) }
        }
        tray.items = zip(items, views).enumerated().map { offset, pair in
            TrayItem.with {
                $0.index = UInt32(index + offset)
                $0.name = pair.0.name
                $0.station = pair.0.station
                $0.status = pair.1.status
                $0.attempts = UInt32(pair.1.attempts)
                $0.worker = pair.1.worker
                $0.startedAtMs = UInt64(clamping: pair.1.leasedAt?.milliseconds ?? 0)
            }
        }
        return .tray(tray)
    }

    /// - Parameter current: the core's summary of an order that runs.
    func list(
        _ list: ListRequest, current: (OrderID) -> OrderSummary? = { _ in nil }
    ) throws(StoreError) -> OrdersMessage.OneOf_Body {
        let page = try store.list(
            status: list.hasStatus ? list.status : nil, before: OrderID(list.afterOrder),
            countMax: min(max(1, Int(list.orderCountMax)), Limits.batchCountMax))
        return .list(
            OrderList.with {
                $0.orders = page.orders.map { stored in OrderID(stored.order).flatMap(current) ?? stored }
                $0.more = page.more
            })
    }

    private func summary(of order: OrderID, current: OrderSummary?) throws(StoreError) -> OrderSummary? {
        if let current { return current }
        return try store.summary(of: order)
    }

    private static func notFound(_ order: OrderID) -> Refusal {
        Refusal.with {
            $0.reason = .notFound
            $0.message = "no order \(order) is known; ended ones are kept for the assembler's retention"
        }
    }
}
