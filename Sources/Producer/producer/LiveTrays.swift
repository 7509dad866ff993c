import Foundation
import TrayProducer
import Wire

/// The orders that are waited for, drawn at the terminal's foot.
actor LiveTrays {
    private static let interval = Duration.milliseconds(100)

    private let console: Console
    private let orders: [WatchedOrder]
    private var trays: [OrderID: LiveTray] = [:]

    init(console: Console, orders: [WatchedOrder]) {
        self.console = console
        self.orders = orders
    }

    func update(_ id: OrderID, _ summary: OrderSummary, landed: [Landing]) {
        if trays[id] == nil, let order = orders.first(where: { $0.id == id }) {
            trays[id] = LiveTray(summary: summary, items: order.items)
        }
        trays[id]?.update(summary)
        for landing in landed { trays[id]?.land(landing.item) }
    }

    /// Asks how things stand and draws them, about ten times a second, until its task is cancelled.
    func keepDrawing(with producer: Producer) async -> [OrderSummary]? {
        while !Task.isCancelled {
            await refresh(from: producer)
            await draw()
            // Cancelled while it sleeps: the loop's condition says so.
            try? await Task.sleep(for: LiveTrays.interval)
        }
        return nil
    }

    /// Leaves the last picture standing, above whatever comes next.
    func finish(isDrawn: Bool) async {
        guard isDrawn else { return }
        await console.erase()
        for line in picture { await console.say(line) }
    }

    /// Who watches the outcomes reports errors; a picture that cannot be refreshed just stands still.
    private func refresh(from producer: Producer) async {
        for (id, tray) in trays where !tray.hasEnded {
            guard tray.showsItems else {
                guard let summary = try? await producer.summary(of: id) else { continue }
                trays[id]?.update(summary)
                continue
            }
            var pages = producer.pages(of: id).makeAsyncIterator()
            guard let page = try? await pages.next() else { continue }
            trays[id]?.update(page)
        }
    }

    private func draw() async { await console.draw(picture) }

    /// All rows where the terminal has room for them, else the orders' head lines, else the last of those.
    private var picture: [String] {
        let (width, height) = console.talkSize
        let now = WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
        let blocks = orders.compactMap { order in
            trays[order.id]?.lines(now: now, width: width, style: console.talkStyle)
        }
        let lines = blocks.flatMap { $0 }
        return lines.count < height ? lines : Array(blocks.compactMap(\.first).suffix(height - 1))
    }
}
