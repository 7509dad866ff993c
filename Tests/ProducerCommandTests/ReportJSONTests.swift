import Foundation
import Testing
import TrayProducer
import Wire

@Suite("Reports as JSON")
struct ReportJSONTests {
    private let id = OrderID(high: 0x0123_4567_89ab_cdef, low: 1)

    private var summary: OrderSummary {
        OrderSummary.with {
            $0.order = id.data
            $0.name = "lunch-set"
            $0.status = .complete
            $0.itemCount = 1
            $0.doneCount = 1
            $0.acceptedAtMs = 1_763_850_462_007
            $0.finishedAtMs = 1_763_850_465_009
            $0.elapsedUs = 3_002_000
        }
    }

    private func item(_ result: Content) -> ReportItem {
        ReportItem(
            index: 0, name: "burger", station: "grill", status: .done, attempts: 1, worker: "worker-1",
            result: result, startedAt: WallTime(milliseconds: 1_763_850_462_008),
            finishedAt: WallTime(milliseconds: 1_763_850_465_008))
    }

    @Test("a report has the design's keys in the design's order")
    func report() {
        let report = TrayReport(summary: summary, items: [item(.text("served"))])
        let expected =
            #"{"order": "\#(id)", "name": "lunch-set", "status": "complete", "elapsed_seconds": 3.002, "#
            + #""accepted_at": "2025-11-22T22:27:42.007Z", "finished_at": "2025-11-22T22:27:45.009Z", "#
            + #""counts": {"total": 1, "done": 1, "failed": 0, "cancelled": 0, "expired": 0, "poisoned": 0, "#
            + #""waiting": 0, "leased": 0}, "#
            + #""items": [{"index": 0, "name": "burger", "station": "grill", "status": "done", "#
            + #""attempts": 1, "worker": "worker-1", "result": "served", "error": null, "#
            + #""started_at": "2025-11-22T22:27:42.008Z", "finished_at": "2025-11-22T22:27:45.008Z"}]}"#
        #expect(report.json.text == expected)
    }

    @Test("what is not there is null")
    func nulls() {
        let running = OrderSummary.with { $0.order = id.data }
        #expect(running.json.text.contains(#""name": null, "status": "running""#))
        #expect(running.json.text.contains(#""accepted_at": null, "finished_at": null"#))
        let item = ReportItem(index: 2, name: "", station: "grill", status: .waiting, attempts: 0)
        #expect(
            item.json.text
                == #"{"index": 2, "name": null, "station": "grill", "status": "waiting", "attempts": 0, "#
                + #""worker": null, "result": null, "error": null, "started_at": null, "finished_at": null}"#)
    }

    @Test("an error has its kind and message, quoted as JSON wants it")
    func error() {
        let error = ItemError.with {
            $0.kind = .timeout
            $0.message = "no \"end\"\n\u{1}after 3s"
        }
        let item = ReportItem(index: 0, name: "", station: "s", status: .failed, attempts: 3, error: error)
        #expect(
            item.json.text.contains(
                #""result": null, "error": {"kind": "timeout", "message": "no \"end\"\n\u0001after 3s"}"#))
    }

    @Test(
        "a result is JSON where it says so and is, else text, else base 64",
        arguments: [
            (Content.json("{\"a\" : [1.50,\n \"x \\\" y\"]}"), #""result": {"a":[1.50,"x \" y"]}, "error""#),
            (.json("3"), #""result": 3, "error""#),
            (.json("{broken"), #""result": "{broken", "error""#),
            (.json(""), #""result": "", "error""#),
            (.text("{\"a\": 1}"), #""result": "{\"a\": 1}", "error""#),
            (.bytes("a\n".utf8), #""result": "a\n", "error""#),
            (.bytes([0xff, 0x00]), #""result_base64": "/wA=", "error""#),
        ])
    func results(content: Content, member: String) throws {
        let text = item(content).json.text
        #expect(text.contains(member))
        #expect(!text.contains("\n"), "a report is one line")
        _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
    }

    @Test("a followed outcome begins with its order and landing")
    func landing() {
        let outcome = Outcome.with {
            $0.landing = 7
            $0.index = 3
            $0.status = .done
            $0.attempts = 2
            $0.worker = "worker-2"
            $0.result = .text("ok")
        }
        let text = ReportItem(outcome, name: "fries", station: "fryer").json(order: id, landing: 7).text
        #expect(text.hasPrefix(#"{"order": "\#(id)", "landing": 7, "index": 3, "name": "fries", "#))
    }

    @Test(
        "elapsed seconds have one to six decimals",
        arguments: [
            (0, "0.0"), (1, "0.000001"), (3_002_000, "3.002"), (9_000_000, "9.0"),
            (123_456_789, "123.456789"),
        ])
    func elapsed(microseconds: Int, text: String) {
        #expect(Figures.seconds(microseconds: UInt64(microseconds)) == text)
    }

    @Test("a receipt is the order and its status")
    func receipt() {
        let receipt = Receipt.with { $0.order = id.data }
        #expect(receipt.json.text == #"{"order": "\#(id)", "status": "running"}"#)
    }

    @Test("workers, stations and the answer to a ping are JSON that parses")
    func fleet() throws {
        let worker = WorkerState.with {
            $0.name = "worker-1"
            $0.silentMs = 40
            $0.stations = [
                .with {
                    $0.station = "grill"
                    $0.capacity = 4
                    $0.leasedCount = 2
                    $0.stoppingCount = 1
                    $0.onProbation = true
                    $0.failuresInRow = 7
                    $0.pauseMs = 400
                    $0.lastFailure = "no such file"
                }
            ]
        }
        #expect(
            worker.json.text.contains(
                #""silent_seconds": 0.04, "connected_at": null, "stations": [{"station": "#))
        #expect(
            worker.json.text.contains(
                #""state": "probation", "failures_in_row": 7, "pause_seconds": 0.4, "last_failure": "no such file""#
            ))
        let pong = Pong().json(endpoint: "tcp://127.0.0.1:5570", roundTrip: .microseconds(412)).text
        #expect(pong.contains(#""round_trip_ms": 0.412"#))
        for text in [worker.json.text, StationState().json.text, pong] {
            _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
        }
    }
}
