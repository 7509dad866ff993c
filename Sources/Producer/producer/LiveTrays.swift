import Foundation
import TrayProducer
import Wire

/// The orders that are waited for, drawn at the terminal's foot.
actor LiveTrays {
    private static let interval = Duration.milliseconds(100)

    private let console: Console
    private let orders: [WatchedOrder]
    private let positions: [OrderID: Int]
    /// By position; `nil` until its first answer.
    private var trays: [LiveTray?]

    init(console: Console, orders: [WatchedOrder]) {
        self.console = console
        self.orders = orders
        // One order may be asked for twice, under one key.
        positions = Dictionary(orders.enumerated().map { ($1.id, $0) }) { first, _ in first }
        trays = orders.map { _ in nil }
    }

    func update(_ id: OrderID, _ summary: OrderSummary, landed: [Landing]) {
        guard let position = positions[id] else { return }
        var tray = trays[position] ?? LiveTray(summary: summary, items: orders[position].items)
        tray.update(summary)
        for landing in landed { tray.land(landing.item) }
        trays[position] = tray
    }

    /// Asks how things stand and draws them, about ten times a second, until its task is cancelled.
    func keepDrawing(with producer: Producer) async {
        while !Task.isCancelled {
            await refresh(from: producer)
            await draw()
            // Cancelled while it sleeps: the loop's condition says so.
            try? await Task.sleep(for: LiveTrays.interval)
        }
    }

    /// Takes the picture away; with `stays` it is left above whatever comes next.
    func finish(stays: Bool) async {
        await console.erase()
        guard stays else { return }
        for line in picture { await console.say(line) }
    }

    /// Who watches the outcomes reports errors; a picture that cannot be refreshed just stands still.
    private func refresh(from producer: Producer) async {
        for position in drawn {
            guard let tray = trays[position], !tray.hasEnded else { continue }
            let id = orders[position].id
            guard tray.showsItems else {
                guard let summary = try? await producer.summary(of: id) else { continue }
                trays[position]?.update(summary)
                continue
            }
            var pages = producer.pages(of: id).makeAsyncIterator()
            guard let page = try? await pages.next() else { continue }
            trays[position]?.update(page)
        }
    }

    private func draw() async { await console.draw(picture) }

    /// The positions of the orders that there is room for: all, or the first that still run.
    private var drawn: [Int] {
        let height = console.talkSize.height
        guard trays.count >= height else { return Array(trays.indices) }
        return Array(
            trays.indices.lazy.filter { self.trays[$0]?.hasEnded == false }.prefix(max(0, height - 2)))
    }

    /// All rows where the terminal has room for them, else the head lines of the orders.
    private var picture: [String] {
        let (width, height) = console.talkSize
        let now = WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
        let blocks = drawn.compactMap { trays[$0]?.lines(now: now, width: width, style: console.talkStyle) }
        let lines = blocks.flatMap { $0 }
        guard trays.count >= height else { return lines.count < height ? lines : blocks.compactMap(\.first) }
        let endedCount = trays.count { $0?.hasEnded == true }
        return ["\(endedCount) of \(trays.count) orders have ended"] + blocks.compactMap(\.first)
    }
}
