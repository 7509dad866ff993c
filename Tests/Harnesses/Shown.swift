import Foundation
import Service
import TrayProducer
import Wire

/// What a producer prints of an assembler's answers: JSON is JSON, and no line for people moves a cursor.
enum Shown {
    static func check(_ body: OrdersMessage.OneOf_Body, now: WallTime) throws {
        switch body {
        case .receipt(let receipt): try check(receipt.json)
        case .outcomes(let batch):
            try check(batch.summary)
            let items = batch.outcomes.map { ReportItem($0, name: "\u{1b}", station: "a") }
            for item in items {
                try check(item.json)
                try check([item.landingLine(width: 80), item.failureLine(of: "line 1") ?? ""])
                _ = item.resultLine
            }
            try checkLive(batch.summary, items, TrayPage(), now: now)
            try checkReport(TrayReport(summary: batch.summary, slots: [TrayItem()], outcomes: batch.outcomes))
        case .tray(let page):
            try check(page.summary)
            let report = TrayReport(summary: page.summary, slots: page.items, outcomes: [])
            try checkReport(report)
            try checkLive(page.summary, report.items, page, now: now)
        case .list(let list):
            try check(TextTable.orders(list.orders).lines)
            for order in list.orders { try check(order) }
        case .workers(let list):
            try check(TextTable.workers(list.workers).lines)
            try check(.array(list.workers.map(\.json)))
        case .stations(let list):
            try check(TextTable.stations(list.stations).lines)
            try check(.array(list.stations.map(\.json)))
        case .pong(let pong): try check(pong.json(endpoint: "tcp://127.0.0.1:1", roundTrip: .seconds(1)))
        case .welcome, .refusal, .pageTaken: break
        }
    }

    private static func checkReport(_ report: TrayReport) throws {
        try check(report.json)
        try check(report.lines(width: 80, style: TextStyle(isColoured: false)))
    }

    private static func checkLive(
        _ summary: OrderSummary, _ items: [ReportItem], _ page: TrayPage, now: WallTime
    ) throws {
        var tray = LiveTray(summary: summary, items: items)
        tray.update(page)
        for item in items { tray.land(item) }
        try check(tray.lines(now: now, width: 80, style: TextStyle(isColoured: false)))
    }

    private static func check(_ summary: OrderSummary) throws {
        try check(summary.json)
        try check([summary.line])
    }

    static func check(_ json: JSONValue) throws {
        let text = json.text
        try Harnesses.check(JSONText.isOneValue(Data(text.utf8)), "not JSON: \(text)")
        try Harnesses.check(!text.contains("\n"), "JSON on several lines: \(text)")
    }

    static func check(_ lines: [String]) throws {
        for line in lines {
            let isPlain = !line.unicodeScalars.contains {
                $0.value < 0x20 || (0x7f..<0xa0).contains($0.value)
            }
            try Harnesses.check(isPlain, "a line for people has control characters: \(line.debugDescription)")
        }
    }
}
