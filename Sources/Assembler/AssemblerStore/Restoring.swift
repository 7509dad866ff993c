import AssemblerCore
import GRDB
import Wire

extension RestoredOrder {
    /// The orders that have not ended, in the order of their acceptance, every checksum compared but those of
    /// results.
    static func all(in database: Database) throws -> [RestoredOrder] {
        let sql = """
            SELECT \(OrderRow.columns) FROM tray_order WHERE status = 0 AND id IS NOT NULL ORDER BY number
            """
        let rows = try Row.fetchAll(database, sql: sql)
        return try rows.map { try RestoredOrder(OrderRow($0), in: database) }
    }

    private init(_ row: OrderRow, in database: Database) throws {
        let id = row.accepted.id
        self.init(
            accepted: row.accepted, isSealed: row.isSealed, isCancelRequested: row.isCancelRequested,
            items: [],
            settled: [], attempts: [], lastLanding: 0)
        try database.eachPage(row) { items += $0.items.map(ItemHead.init) }
        // The last page and the seal come in one commit.
        guard isSealed ? items.count == accepted.itemCount : items.count < accepted.itemCount else {
            throw Damage(
                row: "order \(id)", detail: "\(items.count) of its \(accepted.itemCount) items are there")
        }
        try database.eachOutcomeHead(row) { settled += $0.slots }
        guard Set(settled.map(\.index)).count == settled.count else {
            throw Damage(row: "order \(id)", detail: "a slot is settled more than once")
        }
        lastLanding = settled.count
        attempts = try database.attempts(row)
        guard attempts.allSatisfy({ accepted.itemCount > $0.index && $0.index >= 0 }) else {
            throw Damage(row: "order \(id)", detail: "an item was tried that it does not have")
        }
    }
}

extension Database {
    /// Hands out the pages of an order, which follow each other without gaps.
    func eachPage(_ order: OrderRow, _ body: (PageRow) throws -> Void) throws {
        let statement = try cachedStatement(
            sql: "SELECT \(PageRow.columns) FROM item_page WHERE order_number = ? ORDER BY first_index")
        let rows = try Row.fetchCursor(statement, arguments: [order.number])
        var nextIndex = 0
        while let row = try rows.next() {
            let page = try PageRow(row, of: order.accepted.id)
            guard page.firstIndex == nextIndex else {
                throw Damage(
                    row: "order \(order.accepted.id)", detail: "its page from item \(nextIndex) is missing")
            }
            nextIndex += page.items.count
            try body(page)
        }
    }

    /// Hands out which slots have settled, in the order of their landings, which have no gaps.
    func eachOutcomeHead(_ order: OrderRow, _ body: (OutcomeHeadRow) throws -> Void) throws {
        let statement = try cachedStatement(
            sql:
                """
                SELECT \(OutcomeHeadRow.columns) FROM outcome_batch
                WHERE order_number = ? ORDER BY first_landing
                """
        )
        let rows = try Row.fetchCursor(statement, arguments: [order.number])
        var nextLanding = 1
        while let row = try rows.next() {
            let head = try OutcomeHeadRow(row, of: order.accepted.id)
            guard head.firstLanding == nextLanding else {
                throw Damage(
                    row: "order \(order.accepted.id)", detail: "its outcome \(nextLanding) is missing")
            }
            guard head.slots.allSatisfy({ $0.index < order.accepted.itemCount }) else {
                throw Damage(
                    row: "outcome_batch \(nextLanding) of order \(order.accepted.id)",
                    detail: "it settles an item that the order does not have")
            }
            nextLanding += head.slots.count
            try body(head)
        }
    }

    func attempts(_ order: OrderRow) throws -> [RestoredOrder.Attempt] {
        let statement = try cachedStatement(
            sql: "SELECT \(AttemptRow.columns) FROM attempt WHERE order_number = ? ORDER BY number")
        return try Row.fetchAll(statement, arguments: [order.number]).map {
            try AttemptRow($0, of: order.accepted.id).attempt
        }
    }
}
