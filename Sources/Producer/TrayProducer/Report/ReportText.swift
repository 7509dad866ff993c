import Foundation
import Wire

// What people read of an order.

extension TrayReport {
    /// A head line and a row for each item.
    /// - Parameter width: Of the terminal, in columns; results and errors are cut to it.
    package func lines(width: Int, style: TextStyle) -> [String] {
        var table = TextTable([
            .init("STATUS"), .init("NAME"), .init("STATION"), .init("WORKER"), .init("ATTEMPTS", .right),
            .init("TOOK", .right), .init("RESULT"),
        ])
        for item in items {
            table.add([
                item.status.text, item.label, item.station, item.worker ?? "", "\(item.attempts)",
                item.took.map { Figures.span(milliseconds: $0) } ?? "", item.ending(width: width),
            ])
        }
        let head = style.bold(summary.line)
        guard let titles = table.lines.first, !items.isEmpty else { return [head] }
        let rows = zip(items, table.lines.dropFirst())
        return [head, titles] + rows.map { style.paint(Printable.cut($1, to: width), as: $0.status) }
    }
}

extension OrderSummary {
    /// The order on one line: `lunch-set 01K… complete after 3.002 s: 3 of 3 done`.
    package var line: String {
        let span = Figures.span(milliseconds: elapsedUs / 1_000)
        return "\(title) \(status.text) \(status.hasEnded ? "after" : "for") \(span): \(tally)"
    }

    /// The name, where there is one, and the id.
    package var title: String { name.isEmpty ? idText : "\(Printable.line(name)) \(idText)" }

    /// `2 of 3 done, 1 failed`.
    package var tally: String {
        let others = [
            (failedCount, "failed"), (cancelledCount, "cancelled"), (expiredCount, "expired"),
            (poisonedCount, "poisoned"), (leasedCount, "leased"), (waitingCount, "waiting"),
        ]
        let named = others.filter { $0.0 > 0 }.map { ", \($0.0) \($0.1)" }
        return "\(doneCount) of \(itemCount) done" + named.joined()
    }
}

extension ReportItem {
    /// The item's name, or its index where it has none.
    package var label: String { name.isEmpty ? "#\(index)" : name }

    /// From the last attempt's lease to the end, in milliseconds; `nil` where it never began or has not
    /// ended.
    package var took: UInt64? {
        guard let startedAt, let finishedAt else { return nil }
        return UInt64(clamping: finishedAt.milliseconds - startedAt.milliseconds)
    }

    /// One landing on one line: `burger done on worker-1 after 3.001 s: slept`.
    package func landingLine(width: Int) -> String {
        var line = "\(Printable.line(label)) \(status.text)"
        if let worker { line += " on \(Printable.line(worker))" }
        if let took { line += " after \(Figures.span(milliseconds: took))" }
        let ending = ending(width: width)
        return ending.isEmpty ? line : "\(line): \(ending)"
    }

    /// The result as the handler wrote it, with an end of line added where it has none; empty unless `done`.
    package var resultLine: Data {
        guard status == .done else { return Data() }
        let data = result?.data ?? Data()
        return data.last == UInt8(ascii: "\n") ? data : data + [UInt8(ascii: "\n")]
    }

    /// What went wrong, after what it went wrong with; `nil` for an item that is done or has not ended.
    package func failureLine(of subject: String) -> String? {
        guard status.isSettled, status != .done else { return nil }
        let text = error.map { $0.sentence(after: status) } ?? ""
        return Printable.line(
            text.isEmpty ? "\(subject): \(status.text)" : "\(subject): \(status.text): \(text)")
    }

    /// The first line of the result or of what went wrong.
    func ending(width: Int) -> String {
        if let error { return Printable.firstLine(error.sentence(after: status), width: width) }
        guard let result else { return "" }
        guard let text = String(validating: result.data, as: UTF8.self) else {
            return "(\(result.data.count) bytes, not text)"
        }
        return Printable.firstLine(text, width: width)
    }
}

extension ItemError {
    /// The message, with the kind before it where the item's status does not say it.
    package func sentence(after status: ItemStatus) -> String {
        let kind = kind.text == status.text ? "" : kind.text
        return [kind, message].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
