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

    /// - Returns: The orders as they ended.
    /// - Throws: `Failure` with `gaveUpWaiting` or `interrupted`; the orders go on then.
    func waitForEnd(of orders: [WatchedOrder]) async throws -> [OrderSummary] {
        let signals = await Signals.sequence()
        let trays = LiveTrays(console: console, orders: orders)
        let isDrawn = console.canDraw(besideStream: landings.streams)
        let goesOn = Waiting.goesOn(orders)
        return try await withThrowingTaskGroup(of: [OrderSummary]?.self) { group in
            group.addTask { try await ends(of: orders, trays: trays) }
            group.addTask {
                for await _ in signals { throw Failure(.interrupted, goesOn) }
                return nil
            }
            if let limit {
                group.addTask {
                    try await Task.sleep(for: limit)
                    throw Failure(.gaveUpWaiting, "no end within \(DurationText.format(limit)); \(goesOn)")
                }
            }
            if isDrawn { group.addTask { await trays.keepDrawing(with: producer) } }
            defer { group.cancelAll() }
            do {
                while let ended = try await group.next() {
                    guard let ended else { continue }
                    await trays.finish(isDrawn: isDrawn)
                    return ended
                }
            } catch {
                await trays.finish(isDrawn: isDrawn)
                throw error
            }
            preconditionFailure("the task that waits for the ends returns them")
        }
    }

    private func ends(of orders: [WatchedOrder], trays: LiveTrays) async throws -> [OrderSummary] {
        try await withThrowingTaskGroup(of: (Int, OrderSummary).self) { group in
            for (position, order) in orders.enumerated() {
                group.addTask { (position, try await end(of: order, trays: trays)) }
            }
            var ends: [Int: OrderSummary] = [:]
            for try await (position, summary) in group { ends[position] = summary }
            return orders.indices.compactMap { ends[$0] }
        }
    }

    private func end(of order: WatchedOrder, trays: LiveTrays) async throws -> OrderSummary {
        var summary = OrderSummary()
        for try await batch in producer.outcomes(of: order.id) {
            summary = batch.summary
            let landed = batch.outcomes.map { Landing($0, of: order) }
            await trays.update(order.id, summary, landed: landed)
            if !landed.isEmpty { try await landings.landed(order.id, landed) }
        }
        try await landings.ended(summary)
        return summary
    }

    private static func goesOn(_ orders: [WatchedOrder]) -> String {
        guard orders.count == 1, let order = orders.first else {
            return "the orders go on; watch them with: producer watch ID"
        }
        return "the order goes on; watch it with: producer watch \(order.id)"
    }
}
