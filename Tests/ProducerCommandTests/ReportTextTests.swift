import Foundation
import Testing
import TrayProducer
import Wire

@Suite("Reports for people")
struct ReportTextTests {
    private let plain = TextStyle(isColoured: false)
    private let id = OrderID(high: 1, low: 2)

    private func summary(_ status: OrderStatus, total: UInt32, done: UInt32, failed: UInt32 = 0)
        -> OrderSummary
    {
        OrderSummary.with {
            $0.order = id.data
            $0.name = "lunch"
            $0.status = status
            $0.itemCount = total
            $0.doneCount = done
            $0.failedCount = failed
            $0.elapsedUs = 3_002_400
        }
    }

    private func item(_ index: Int, _ name: String, _ status: ItemStatus, result: Content? = nil)
        -> ReportItem
    {
        ReportItem(
            index: index, name: name, station: "grill", status: status, attempts: 1, worker: "worker-1",
            result: result, startedAt: WallTime(milliseconds: 1_000),
            finishedAt: WallTime(milliseconds: 4_001))
    }

    @Test("a report is a head line and a table in submitted order (FM-13)")
    func report() {
        var failed = item(1, "", .failed)
        failed.error = .with {
            $0.kind = .timeout
            $0.message = "no end\nafter 3s"
        }
        let report = TrayReport(
            summary: summary(.partial, total: 2, done: 1, failed: 1),
            items: [item(0, "burger", .done, result: .text("served\n")), failed])
        #expect(
            report.lines(width: 80, style: plain) == [
                "lunch \(id) partial after 3.002 s: 1 of 2 done, 1 failed",
                "STATUS  NAME    STATION  WORKER    ATTEMPTS     TOOK  RESULT",
                "done    burger  grill    worker-1         1  3.001 s  served",
                "failed  #1      grill    worker-1         1  3.001 s  timeout: no end",
            ])
    }

    @Test("no line of a table is wider than the terminal")
    func width() {
        let long = item(
            0, String(repeating: "n", count: 200), .done, result: .text(String(repeating: "r", count: 200)))
        let report = TrayReport(summary: summary(.complete, total: 1, done: 1), items: [long])
        let lines = report.lines(width: 40, style: plain).dropFirst(2)
        #expect(lines.allSatisfy { $0.count == 40 && $0.hasSuffix("…") })
    }

    @Test("names of others move no cursor")
    func controlCharacters() {
        let report = TrayReport(
            summary: summary(.complete, total: 1, done: 1),
            items: [item(0, "a\u{1B}[2Jb\nc", .done, result: .text("\u{1B}]0;x\u{7}"))])
        let text = report.lines(width: 200, style: plain).joined()
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f })
    }

    @Test("a result is printed as it was written, with an end of line where it has none")
    func resultLine() {
        #expect(item(0, "", .done, result: .text("a")).resultLine == Data("a\n".utf8))
        #expect(item(0, "", .done, result: .text("a\n")).resultLine == Data("a\n".utf8))
        #expect(item(0, "", .done, result: .bytes([0xff])).resultLine == Data([0xff, 0x0a]))
        #expect(item(0, "", .done, result: Content()).resultLine == Data("\n".utf8))
        #expect(item(0, "", .failed).resultLine.isEmpty)
    }

    @Test("an item that ended badly says what it was and why")
    func failureLine() {
        var expired = item(3, "", .expired)
        #expect(expired.failureLine(of: "line 4") == "line 4: expired")
        expired.error = .with {
            $0.kind = .expired
            $0.message = "deadline of 3s"
        }
        #expect(expired.failureLine(of: "line 4") == "line 4: expired: deadline of 3s")
        #expect(item(0, "", .done).failureLine(of: "line 1") == nil)
        #expect(item(0, "", .leased).failureLine(of: "line 1") == nil)
    }

    @Test("items are put back into the order of their lines, each as soon as its turn has come")
    func keptOrder() {
        var kept = KeptOrder()
        #expect(kept.add(item(1, "", .done)).isEmpty)
        #expect(kept.add(item(0, "", .done)).map(\.index) == [0, 1])
        #expect(kept.add(item(3, "", .done)).isEmpty)
        #expect(kept.add(item(2, "", .failed)).map(\.index) == [2, 3])
    }
}

@Suite("Live trays")
struct LiveTrayTests {
    private let plain = TextStyle(isColoured: false)

    private func items(_ count: Int) -> [ReportItem] {
        (0..<count).map { ReportItem(index: $0, name: "", station: "grill", status: .waiting, attempts: 0) }
    }

    private func page(leased index: UInt32) -> TrayPage {
        TrayPage.with {
            $0.summary.itemCount = 2
            $0.summary.leasedCount = 1
            $0.items = [
                .with {
                    $0.index = index
                    $0.status = .leased
                    $0.worker = "worker-1"
                    $0.startedAtMs = 1_000
                }
            ]
        }
    }

    @Test("rows fill in place: waiting, leased with its worker and time, done")
    func fills() {
        var tray = LiveTray(summary: OrderSummary.with { $0.itemCount = 2 }, items: items(2))
        let now = WallTime(milliseconds: 3_500)
        #expect(tray.lines(now: now, width: 80, style: plain)[1] == "  ○ #0  grill  waiting")
        tray.update(page(leased: 1))
        #expect(
            tray.lines(now: now, width: 80, style: plain).dropFirst() == [
                "  ○ #0  grill  waiting", "  ◐ #1  grill  leased   worker-1  2.500 s",
            ])
        var done = items(2)[1]
        done.status = .done
        tray.land(done)
        tray.update(page(leased: 1))
        #expect(
            tray.lines(now: now, width: 80, style: plain)[2] == "  ● #1  grill  done",
            "an answer that was overtaken does not empty a slot")
    }

    @Test("an order that has ended stays ended, whatever answers come late")
    func ended() {
        var tray = LiveTray(summary: OrderSummary.with { $0.status = .complete }, items: [])
        tray.update(OrderSummary())
        #expect(tray.hasEnded)
    }

    @Test("a large order is one line of progress")
    func progress() {
        let summary = OrderSummary.with {
            $0.name = "map digest"
            $0.itemCount = 100
            $0.doneCount = 50
            $0.elapsedUs = 2_000_000
        }
        let lines = LiveTray(summary: summary, items: items(100)).lines(
            now: WallTime(milliseconds: 0), width: 120, style: plain)
        #expect(lines.count == 1)
        #expect(lines[0].hasPrefix("██████████░░░░░░░░░░ 50 of 100 done, 25/s: map digest"))
    }

    @Test("no line is wider than the terminal, colours apart")
    func width() {
        let tray = LiveTray(summary: OrderSummary.with { $0.itemCount = 40 }, items: items(40))
        let now = WallTime(milliseconds: 0)
        #expect(tray.lines(now: now, width: 12, style: plain).allSatisfy { $0.count <= 12 })
    }

    @Test("colours are written only where they are wanted")
    func colours() {
        #expect(plain.paint("done", as: .done) == "done")
        #expect(TextStyle(isColoured: true).paint("done", as: .done) == "\u{1B}[32mdone\u{1B}[0m")
    }

    @Test("a picture is drawn over the last one, and lines pass above it")
    func picture() {
        var picture = LivePicture()
        #expect(picture.replace(with: ["a", "b"]) == "a\nb\n")
        #expect(picture.replace(with: ["a", "b"]).isEmpty)
        #expect(picture.replace(with: ["c"]) == "\u{1B}[2F\u{1B}[Jc\n")
        #expect(picture.print("said") == "\u{1B}[1F\u{1B}[Jsaid\nc\n")
        #expect(picture.erase() == "\u{1B}[1F\u{1B}[J")
        #expect(picture.erase().isEmpty)
    }
}
