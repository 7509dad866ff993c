import Foundation
import Service
import TrayProducer
import Wire

/// An outcome with its place in the order of landing.
struct Landing: Sendable {
    /// From 1.
    let number: Int
    let item: ReportItem

    init(_ outcome: Outcome, of order: WatchedOrder) {
        let index = Int(outcome.index)
        let item = order.items.indices.contains(index) ? order.items[index] : nil
        number = Int(outcome.landing)
        self.item = ReportItem(outcome, name: item?.name ?? "", station: item?.station ?? "")
    }
}

/// What becomes of outcomes as they land.
struct Landings: Sendable {
    /// They go to standard output.
    let streams: Bool
    let landed: @Sendable (OrderID, [Landing]) async throws -> Void
    let ended: @Sendable (OrderSummary) async throws -> Void

    /// A line each on standard error, where no live tray shows them.
    static func told(on console: Console) -> Landings {
        Landings(streams: false) { id, landed in
            guard !console.canDraw(besideStream: false) else { return }
            for landing in landed {
                await console.say("\(id) \(landing.item.landingLine(width: console.talkSize.width))")
            }
        } ended: { _ in
        }
    }

    /// A line each on standard output, and one for each order's end.
    static func followed(on console: Console, asJSON: Bool) -> Landings {
        Landings(streams: true) { id, landed in
            for landing in landed {
                let line =
                    asJSON
                    ? landing.item.json(order: id, landing: landing.number).text
                    : "\(id) \(landing.item.landingLine(width: console.reportWidth))"
                try await console.write(line: line)
            }
        } ended: { summary in
            try await console.write(line: asJSON ? summary.json.text : summary.line)
        }
    }

    /// The results alone on standard output, failures on standard error.
    static func results(on console: Console, keepsOrder: Bool) -> Landings {
        let results = ResultStream(console: console, keepsOrder: keepsOrder)
        return Landings(streams: true) { _, landed in
            try await results.write(landed.map(\.item))
        } ended: { summary in
            if summary.status != .complete { await console.say(summary.line) }
        }
    }
}

/// Results of lines, as the handlers wrote them.
private actor ResultStream {
    private let console: Console
    private let keepsOrder: Bool
    private var kept = KeptOrder()

    init(console: Console, keepsOrder: Bool) {
        self.console = console
        self.keepsOrder = keepsOrder
    }

    func write(_ items: [ReportItem]) async throws {
        let due = keepsOrder ? items.flatMap { kept.add($0) } : items
        try await console.write(due.reduce(into: Data()) { $0.append($1.resultLine) })
        for item in due {
            guard let failure = item.failureLine(of: "line \(item.index + 1)") else { continue }
            await console.say(failure)
        }
    }
}
