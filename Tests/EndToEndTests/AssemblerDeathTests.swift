import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("The death of the assembler")
    struct AssemblerDeathTests {
        @Test("between results costs nothing: what runs is adopted, what ended meanwhile lands (FM-26)")
        func betweenResults() async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1", "worker-2")
                let seconds = [0.1, 0.2, 1.0, 1.1, 1.2, 1.3, 4.0, 4.5]
                try shop.writeCountedNaps("order.yaml", seconds)
                let order = try await shop.produce("submit", "order.yaml").line
                try await eventually("two results") {
                    try await shop.produce("status", order, "--json").report().counts["done"] ?? 0 >= 2
                        ? true : nil
                }
                try await assembler.die()
                try await eventually("the ends of six items") {
                    try shop.lines(of: "ended").count >= 6 ? true : nil
                }
                try await shop.startAssembler()

                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.attempts == 1 })
                #expect(try shop.lines(of: "begun").sorted() == (0..<8).map { "\(order)/\($0)" })
            }
        }

        @Test("before any result: the receipt holds, and every item runs once (FM-20, FM-21)")
        func beforeResults() async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                let assembler = try await shop.startAssembler()
                try shop.writeCountedNaps("order.yaml", [0.1, 0.1, 0.1])
                let order = try await shop.produce("submit", "order.yaml").line
                try await assembler.die()
                let workers = [try shop.startWorker("worker-1"), try shop.startWorker("worker-2")]
                try await shop.startAssembler()
                #expect(try await shop.produce("watch", order).ending == .exit(0))
                #expect(try shop.lines(of: "begun").count == 3)
                #expect(workers.allSatisfy { $0.hasEnded == nil })
            }
        }

        @Test("after the last result: the served tray is what it was, landings and all (FM-11)")
        func afterResults() async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.writeCountedNaps("order.yaml", [0.3, 0.2, 0.1])
                let order = try await shop.produce("submit", "order.yaml").line
                let before = try await shop.produce("watch", order, "--follow", "--json")
                try await assembler.die()
                try await shop.startAssembler()
                let after = try await shop.produce("watch", order, "--follow", "--json")
                // The last line has the elapsed time, whose correction comes after the end.
                #expect(
                    after.output.split(separator: "\n").dropLast()
                        == before.output.split(separator: "\n").dropLast())
                #expect(after.ending == .exit(0))
                #expect(try shop.lines(of: "begun").count == 3)
            }
        }

        @Test("makes its orders wait one heartbeat limit for their workers, and new ones not at all")
        func heldBack() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try shop.write("order.yaml", echoes("old"))
                let old = try await shop.produce("submit", "order.yaml").line
                try await assembler.die()
                // It is there before the assembler, so that its start takes nothing of the two seconds.
                let worker = try shop.startWorker("worker-1")
                try await eventually("a worker that waits") {
                    worker.errorText.contains("waiting for the assembler") ? true : nil
                }
                let next = try shop.start("assembler")
                try await eventually("the start") {
                    next.errorText.contains("assembler started") ? true : nil
                }
                let bound = Date()
                let new = try await shop.produce("submit", "order.yaml", "--wait", "--json").times()
                let waited = try await shop.produce("watch", old, "--json").times()
                // It was bound a little before we saw that it was.
                #expect(waited.started.timeIntervalSince(bound) > 1.5)
                #expect(new.finished < waited.started)
            }
        }

        @Test("forgets no failure: an item has the attempts that it has, before and after (FM-25, FM-36)")
        func failures() async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", "items: [{station: flaw, payload: x, max_attempts: 3}]")
                let order = try await shop.produce("submit", "order.yaml").line
                try await eventually("the first failure") {
                    assembler.errorText.contains("attempt failed") ? true : nil
                }
                try await assembler.die()
                try await shop.startAssembler()
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "partial")
                #expect(report.items.map(\.attempts) == [3])
                #expect(try shop.lines(of: "begun").count == 3)
            }
        }

        @Test("moves no deadline: an order that nobody serves expires when it would have, or at the start")
        func deadline() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try shop.write("order.yaml", echoes("late"))
                let short = try await shop.produce("submit", "order.yaml", "--deadline", "1s").line
                let long = try await shop.produce("submit", "order.yaml", "--deadline", "5s").line
                try await assembler.die()
                let died = Date()
                try await eventually("the shorter deadline") {
                    Date().timeIntervalSince(died) > 1.2 ? true : nil
                }
                try await shop.startAssembler()
                let soon = try await shop.produce("watch", short, "--json").span()
                #expect(soon.status == "expired")
                #expect((1.0..<4.0).contains(soon.seconds), "\(soon)")
                let later = try await shop.produce("watch", long, "--json").span()
                #expect(later.status == "expired")
                #expect((5.0..<6.5).contains(later.seconds), "\(later)")
            }
        }

        @Test("again and again leaves a watcher where it was: no landing twice, none missing (FM-41)")
        func watcher() async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                var assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1", "worker-2")
                try shop.writeCountedNaps("order.yaml", [Double](repeating: 0.2, count: 60))
                let order = try await shop.produce("submit", "order.yaml", "--max-parallel", "5").line
                let watcher = try shop.start("producer", "watch", order, "--follow", "--json")
                for count in [8, 20, 40] {
                    try await eventually("\(count) landings") {
                        try watcher.landings().count >= count ? true : nil
                    }
                    try await assembler.die()
                    assembler = try await shop.startAssembler()
                }
                #expect(try await watcher.end(within: .seconds(60)) == .exit(0))
                #expect(try watcher.landings() == Array(1...60))
                let last = try #require(watcher.outputText.split(separator: "\n").last)
                #expect(last.contains("\"status\":\"complete\"") || last.contains("\"status\": \"complete\""))
                #expect(try shop.lines(of: "begun").count == 60, "none ran twice")
            }
        }
    }
}

extension Shop {
    /// Stations whose commands write down what they begin and end.
    func serveCountedNaps() throws {
        try write(
            "worker.yaml",
            """
            stations:
              nap:
                handler: command
                command: [sh, -c, 'echo "$TRAY_ORDER/$TRAY_ITEM" >> begun; sleep "$(cat)"; echo over >> ended']
                capacity: 20
              flaw: {handler: command, command: [sh, -c, 'echo "$TRAY_ORDER/$TRAY_ITEM" >> begun; exit 1'], capacity: 1}
              echo: {handler: echo, capacity: 100}
            """)
    }

    /// An order file of items for the station `nap`.
    func writeCountedNaps(_ name: String, _ seconds: [Double]) throws {
        let items = seconds.map {
            "  - {station: nap, payload_base64: \(Data("\($0)".utf8).base64EncodedString())}\n"
        }
        try write(name, "items:\n" + items.joined())
    }

    /// What commands have written so far; none where there is no file yet.
    func lines(of name: String) throws -> [String] {
        let file = folder.appending(path: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return [] }
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    }
}

extension Finished {
    /// When an order was accepted, its first item leased, and its end reached.
    func times() throws -> (accepted: Date, started: Date, finished: Date) {
        let report = try object()
        let item = try #require((report["items"] as? [[String: Any]])?.first)
        return (
            try date(report["accepted_at"]), try date(item["started_at"]), try date(report["finished_at"])
        )
    }

    /// When the last attempt at the first item was leased.
    func startedAt() throws -> Date {
        try date(((try object()["items"] as? [[String: Any]])?.first)?["started_at"])
    }

    /// How an order ended, and how long after its acceptance.
    func span() throws -> (status: String?, seconds: Double) {
        let report = try object()
        let seconds = try date(report["finished_at"]).timeIntervalSince(try date(report["accepted_at"]))
        return (report["status"] as? String, seconds)
    }

    private func date(_ value: Any?) throws -> Date {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return try style.parse(try #require(value as? String))
    }
}
