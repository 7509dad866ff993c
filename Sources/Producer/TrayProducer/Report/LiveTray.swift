import Wire

/// An order as a terminal shows it while it runs: a row for each item, filling in place, or one line of
/// progress where there are too many.
package struct LiveTray {
    /// Orders of more items get one line of progress.
    package static let rowCountMax = 40

    private var summary: OrderSummary
    /// By index; empty for an order of too many items.
    private var items: [ReportItem]

    package init(summary: OrderSummary, items: [ReportItem]) {
        self.summary = summary
        self.items = items.count <= LiveTray.rowCountMax ? items : []
    }

    package var hasEnded: Bool { summary.status.hasEnded }
    package var showsItems: Bool { !items.isEmpty }

    package mutating func update(_ new: OrderSummary) {
        guard !hasEnded else { return }  // Answers overtake each other; an end is final.
        summary = new
    }

    /// The slots as they stand.
    package mutating func update(_ page: TrayPage) {
        update(page.summary)
        for slot in page.items {
            let index = Int(slot.index)
            guard items.indices.contains(index), !items[index].status.isSettled else { continue }
            items[index].status = slot.status
            items[index].attempts = Int(slot.attempts)
            items[index].worker = slot.worker.isEmpty ? nil : slot.worker
            items[index].startedAt =
                slot.startedAtMs > 0 ? WallTime(milliseconds: Int64(clamping: slot.startedAtMs)) : nil
        }
    }

    package mutating func land(_ item: ReportItem) {
        guard items.indices.contains(item.index) else { return }
        items[item.index] = item
    }

    /// - Parameter width: Of the terminal, in columns; no line is longer.
    package func lines(now: WallTime, width: Int, style: TextStyle) -> [String] {
        let head = showsItems ? summary.line : "\(bar) \(summary.tally)\(rate): \(summary.title)"
        return [style.bold(Printable.cut(head, to: width))] + rows(now: now, width: width, style: style)
    }

    private func rows(now: WallTime, width: Int, style: TextStyle) -> [String] {
        var table = TextTable([.init(""), .init(""), .init(""), .init(""), .init("", .right), .init("")])
        for item in items {
            let span =
                item.took ?? item.startedAt.map { UInt64(clamping: now.milliseconds - $0.milliseconds) }
            table.add([
                "  \(item.status.sign) \(Printable.cut(item.label, to: 24))", item.station, item.status.text,
                item.worker ?? "", span.map { Figures.span(milliseconds: $0) } ?? "",
                item.ending(width: width),
            ])
        }
        return zip(items, table.lines).map { style.paint(Printable.cut($1, to: width), as: $0.status) }
    }

    /// Twenty places, filled as the items settle.
    private var bar: String {
        let filled =
            summary.itemCount == 0 ? 20 : min(20, Int(summary.settledCount) * 20 / Int(summary.itemCount))
        return String(repeating: "█", count: filled) + String(repeating: "░", count: 20 - filled)
    }

    /// Items settled a second since the order was accepted.
    private var rate: String {
        guard summary.elapsedUs > 0 else { return "" }
        return ", \(summary.settledCount * 1_000_000 / summary.elapsedUs)/s"
    }
}

extension ItemStatus {
    /// A slot drawn: empty, half full, full, or broken.
    fileprivate var sign: String {
        switch self {
        case .waiting, .UNRECOGNIZED: "○"
        case .leased: "◐"
        case .done: "●"
        case .failed, .cancelled, .expired, .poisoned: "✗"
        }
    }
}

/// Colours for a terminal, or none.
package struct TextStyle: Sendable {
    private let isColoured: Bool

    package init(isColoured: Bool) { self.isColoured = isColoured }

    package func bold(_ text: String) -> String { wrap(text, code: "1") }

    package func paint(_ text: String, as status: ItemStatus) -> String {
        switch status {
        case .waiting, .UNRECOGNIZED: wrap(text, code: "2")
        case .leased: wrap(text, code: "36")
        case .done: wrap(text, code: "32")
        case .failed, .expired, .poisoned: wrap(text, code: "31")
        case .cancelled: wrap(text, code: "33")
        }
    }

    private func wrap(_ text: String, code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
