import Foundation
import Service
import TrayProducer
import Wire

/// An order that is waited for, with the names and stations of its items.
struct WatchedOrder: Sendable {
    let id: OrderID
    /// By index, as they were before anything happened.
    let items: [ReportItem]

    /// The items of `order`, accepted under `id`: that of its first submission where the key was known.
    init(_ order: NewOrder, id: OrderID) {
        self.id = id
        items = order.items.enumerated().map { index, item in
            ReportItem(index: index, name: item.name, station: item.station, status: .waiting, attempts: 0)
        }
    }

    /// An order that somebody submitted.
    init(_ id: OrderID, from producer: Producer) async throws {
        self.id = id
        var items: [ReportItem] = []
        for try await page in producer.pages(of: id) {
            items += page.items.map {
                ReportItem(
                    index: Int($0.index), name: $0.name, station: $0.station, status: .waiting, attempts: 0)
            }
        }
        self.items = items
    }
}

/// Waits for orders to end, and shows what happens meanwhile.
struct Waiting: Sendable {
    let producer: Producer
    let console: Console
    /// What becomes of outcomes as they land.
    let landings: Landings
    /// `nil`: for as long as it takes.
    let limit: Duration?
    /// The last picture is left on the terminal, where no report follows that says the same.
    let pictureStays: Bool

    /// - Returns: The orders as they ended; without their items where outcomes were streamed, and nobody
    ///   needs them.
    /// - Throws: `Failure` with `gaveUpWaiting`; the orders go on then, as when the task is cancelled.
    func waitForEnd(of orders: [WatchedOrder]) async throws -> [TrayReport] {
        let ids = orders.map(\.id)
        Interruption.ofProcess.say { "interrupted; \(Waiting.goesOn(ids))" }
        let trays = LiveTrays(console: console, orders: orders)
        do {
            let reports = try await race(orders, trays: trays)
            Interruption.ofProcess.say { "interrupted; \(Waiting.hasEnded(ids))" }
            if isDrawn { await trays.finish(stays: pictureStays) }
            return reports
        } catch {
            if isDrawn { await trays.finish(stays: true) }
            throw error
        }
    }

    private var isDrawn: Bool { console.canDraw(besideStream: landings.streams) }

    /// Whatever comes first: the ends of all orders, or the limit.
    private func race(_ orders: [WatchedOrder], trays: LiveTrays) async throws -> [TrayReport] {
        let goesOn = Waiting.goesOn(orders.map(\.id))
        return try await withThrowingTaskGroup(of: [TrayReport]?.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await ends(of: orders, trays: trays) }
            if let limit {
                group.addTask {
                    try await Task.sleep(for: limit)
                    throw Failure(.gaveUpWaiting, "no end within \(DurationText.format(limit)); \(goesOn)")
                }
            }
            if isDrawn {
                group.addTask {
                    await trays.keepDrawing(with: producer)
                    return nil
                }
            }
            while let ended = try await group.next() {
                if let ended { return ended }
            }
            preconditionFailure("the task that waits for the ends returns them")
        }
    }

    private func ends(of orders: [WatchedOrder], trays: LiveTrays) async throws -> [TrayReport] {
        try await withThrowingTaskGroup(of: (Int, TrayReport).self) { group in
            for (position, order) in orders.enumerated() {
                group.addTask { (position, try await end(of: order, trays: trays)) }
            }
            var ends: [Int: TrayReport] = [:]
            for try await (position, report) in group { ends[position] = report }
            return orders.indices.compactMap { ends[$0] }
        }
    }

    private func end(of order: WatchedOrder, trays: LiveTrays) async throws -> TrayReport {
        var report = TrayReport(summary: OrderSummary(), items: landings.streams ? [] : order.items)
        for try await batch in producer.outcomes(of: order.id) {
            report.summary = batch.summary
            let landed = batch.outcomes.map { Landing($0, of: order) }
            for item in landed.map(\.item) where report.items.indices.contains(item.index) {
                report.items[item.index] = item
            }
            await trays.update(order.id, batch.summary, landed: landed)
            if !landed.isEmpty { try await landings.landed(order.id, landed) }
        }
        try await landings.ended(report.summary)
        return report
    }

    static func goesOn(_ orders: [OrderID]) -> String {
        guard orders.count == 1 else { return "the orders go on; watch them with: producer watch ID" }
        return "the order goes on; watch it with: producer watch \(orders[0])"
    }

    private static func hasEnded(_ orders: [OrderID]) -> String {
        guard orders.count == 1 else {
            return "the orders have ended; print one again with: producer status ID"
        }
        return "the order has ended; print it again with: producer status \(orders[0])"
    }
}
