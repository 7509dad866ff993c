import AssemblerCore
import GRDB
import Wire

extension Store {
    /// The order of an id, or else of a key.
    public func known(order id: OrderID?, key: String?) throws(StoreError) -> KnownOrder? {
        let row = try perform { database in
            try id.flatMap { try database.order($0) } ?? key.flatMap { try database.order(key: $0) }
        }
        return row.map {
            KnownOrder(
                id: $0.accepted.id, status: $0.served?.status ?? .running,
                fingerprint: $0.accepted.fingerprint)
        }
    }

    /// How often an assembler was started on a store, and what has not ended.
    public struct Standing: Equatable, Sendable {
        public let incarnation: UInt32
        public let runningOrderCount: Int
        public let openItemCount: Int
    }

    public func standing() throws(StoreError) -> Standing {
        try perform { database in
            let incarnation = try Int64.fetchOne(
                database, sql: "SELECT max(incarnation) FROM assembler_start")
            let running = "status = 0 AND is_sealed AND id IS NOT NULL"
            let orders = try Row.fetchOne(
                database, sql: "SELECT count(*), total(item_count) FROM tray_order WHERE \(running)")
            let settledCount = try Int.fetchOne(
                database,
                sql: """
                    SELECT ifnull(sum(outcome_count), 0) FROM outcome_batch
                    WHERE order_number IN (SELECT number FROM tray_order WHERE \(running))
                    """)
            let (orderCount, itemCount): (Int, Double) = (orders?[0] ?? 0, orders?[1] ?? 0)
            return Standing(
                incarnation: UInt32(clamping: incarnation ?? 0), runningOrderCount: orderCount,
                // Only counted here, no checksum compared: a damaged store may say anything.
                openItemCount: Int(exactly: max(0, itemCount - Double(settledCount ?? 0))) ?? .max)
        }
    }

    /// The state of an order; `nil` where it is not known, or not accepted yet.
    ///
    /// While it runs, the store knows what has settled, but neither leases nor the time since.
    public func summary(of id: OrderID) throws(StoreError) -> OrderSummary? {
        try perform { database in
            guard let row = try database.order(id), row.isSealed else { return nil }
            return try database.summary(row)
        }
    }

    /// Sealed orders, the newest by their ids first.
    ///
    /// - Parameter before: The last order of the page before; it need not be there any more.
    public func list(
        status: OrderStatus?, before: OrderID?, countMax: Int
    ) throws(StoreError) -> (orders: [OrderSummary], more: Bool) {
        var summaries = try perform { database in
            let filter = status == nil ? "" : "AND status = ?"
            let statement = try database.cachedStatement(
                sql: """
                    SELECT \(OrderRow.columns) FROM tray_order
                    WHERE is_sealed AND id < ? \(filter) ORDER BY id DESC LIMIT ?
                    """)
            // One byte more than any id has: it is greater than all of them.
            let cursor = before?.data ?? OrderID(high: .max, low: .max).data + [0]
            var arguments: StatementArguments = [cursor]
            if let status { arguments += [status.rawValue] }
            arguments += [countMax + 1]
            return try Row.fetchAll(statement, arguments: arguments).map {
                try database.summary(OrderRow($0))
            }
        }
        let isMore = summaries.count > countMax
        if isMore { summaries.removeLast() }
        return (summaries, isMore)
    }

    /// Up to `countMax` items from `first` on; fewer at the order's end, none where it is not known.
    public func items(of id: OrderID, from first: Int, countMax: Int) throws(StoreError) -> [Item] {
        try perform { database in
            guard let row = try database.order(id) else { return [] }
            let statement = try database.cachedStatement(
                sql: """
                    SELECT \(PageRow.columns) FROM item_page
                    WHERE order_number = ?1 AND first_index < ?3 AND first_index >= ifnull(
                        (SELECT max(first_index) FROM item_page
                         WHERE order_number = ?1 AND first_index <= ?2), 0)
                    ORDER BY first_index
                    """)
            let rows = try Row.fetchCursor(statement, arguments: [row.number, first, first + countMax])
            var items: [Item] = []
            while let row = try rows.next() {
                let page = try PageRow(row, of: id)
                items += page.items.dropFirst(max(0, first - page.firstIndex)).prefix(countMax - items.count)
            }
            return items
        }
    }

    /// The page that holds an item; `nil` where there is none.
    public func page(
        of id: OrderID, containing index: Int
    ) throws(StoreError) -> (firstIndex: Int, items: [Item])? {
        try perform { database in
            let statement = try database.cachedStatement(
                sql: """
                    SELECT \(PageRow.columns) FROM item_page
                    WHERE order_number = (SELECT number FROM tray_order WHERE id = ?) AND first_index <= ?
                    ORDER BY first_index DESC LIMIT 1
                    """)
            guard let row = try Row.fetchOne(statement, arguments: [id.data, index]) else { return nil }
            let page = try PageRow(row, of: id)
            return index < page.firstIndex + page.items.count ? (page.firstIndex, page.items) : nil
        }
    }

    /// Outcomes after a cursor, in the order of their landings: at most `countMax`, and no more than
    /// `bytesMax` of content, but one at least where there is any.
    public func outcomes(
        of id: OrderID, after landing: Int, countMax: Int, bytesMax: Int
    ) throws(StoreError) -> [Outcome] {
        try perform { database in
            guard let order = try database.order(id) else { return [] }
            let statement = try database.cachedStatement(
                sql: """
                    SELECT \(OutcomeBodyRow.columns) FROM outcome_batch
                    WHERE order_number = ?1 AND first_landing + outcome_count > ?2 + 1
                        AND first_landing >= ifnull(
                        (SELECT max(first_landing) FROM outcome_batch
                         WHERE order_number = ?1 AND first_landing <= ?2 + 1), 0)
                    ORDER BY first_landing
                    """)
            let rows = try Row.fetchCursor(statement, arguments: [order.number, landing])
            var (outcomes, byteCount): ([Outcome], Int) = ([], 0)
            while let row = try rows.next() {
                for outcome in try OutcomeBodyRow(row, of: id).outcomes where outcome.landing > landing {
                    byteCount += outcome.contentByteCount
                    if byteCount > bytesMax && !outcomes.isEmpty { return outcomes }
                    outcomes.append(outcome)
                    if outcomes.count >= countMax || byteCount >= bytesMax { return outcomes }
                }
            }
            return outcomes
        }
    }

    /// The statuses of slots from `first` on: settled ones with what they were settled with, others waiting.
    public func slotStatuses(
        of id: OrderID, from first: Int, countMax: Int
    ) throws(StoreError) -> [ItemStatus] {
        if let cached = cachedStatuses, cached.order == id {
            return Array(cached.statuses.dropFirst(first).prefix(countMax))
        }
        guard let order = try perform({ try $0.order(id) }) else { return [] }
        var statuses = [ItemStatus](repeating: .waiting, count: order.accepted.itemCount)
        try perform { database in
            try database.eachOutcomeHead(order) { head in
                for slot in head.slots { statuses[slot.index] = slot.status }
            }
        }
        if order.served != nil { cachedStatuses = (id, statuses) }
        return Array(statuses.dropFirst(first).prefix(countMax))
    }
}

extension Database {
    func order(_ id: OrderID) throws -> OrderRow? {
        let statement = try cachedStatement(sql: "SELECT \(OrderRow.columns) FROM tray_order WHERE id = ?")
        return try Row.fetchOne(statement, arguments: [id.data]).map { try OrderRow($0) }
    }

    func order(key: String) throws -> OrderRow? {
        if key.isEmpty { return nil }
        let statement = try cachedStatement(sql: "SELECT \(OrderRow.columns) FROM tray_order WHERE key = ?")
        return try Row.fetchOne(statement, arguments: [key]).map { try OrderRow($0) }
    }

    func summary(_ row: OrderRow) throws -> OrderSummary {
        var counts = row.served?.counts ?? TrayCounts()
        if row.served == nil {
            try eachOutcomeHead(row) { head in head.slots.forEach { counts.add($0.status) } }
        }
        return OrderSummary.with {
            $0.order = row.accepted.id.data
            $0.name = row.accepted.spec.name
            $0.status = row.served?.status ?? .running
            $0.itemCount = UInt32(clamping: row.accepted.itemCount)
            $0.doneCount = UInt32(clamping: counts.done)
            $0.failedCount = UInt32(clamping: counts.failed)
            $0.cancelledCount = UInt32(clamping: counts.cancelled)
            $0.expiredCount = UInt32(clamping: counts.expired)
            $0.poisonedCount = UInt32(clamping: counts.poisoned)
            $0.waitingCount = UInt32(clamping: row.accepted.itemCount - counts.settled)
            $0.acceptedAtMs = UInt64(clamping: row.accepted.acceptedAt.milliseconds)
            $0.finishedAtMs = UInt64(clamping: row.served?.at.milliseconds ?? 0)
            $0.elapsedUs = UInt64(clamping: row.served?.elapsed.microseconds ?? 0)
            $0.lastLanding = UInt32(clamping: counts.settled)
        }
    }
}

extension Outcome {
    /// Bytes that it takes in a message, at most.
    fileprivate var contentByteCount: Int {
        result.data.count + error.message.utf8.count + worker.utf8.count + 64
    }
}
