import Foundation
import Testing

/// One after the other: each has processes of its own, and some of them measure time.
@Suite("End to end", .serialized, .timeLimit(.minutes(2 * costFactor)))
enum EndToEnd {}

extension EndToEnd {
    @Suite("An order")
    struct OrderTests {
        @Test("three items of three seconds take three seconds, and the report has the design's keys")
        func lunchSet() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1", "worker-2", "worker-3")
                let served = try await shop.produce("order", "lunch-set", "--wait", "--json")
                #expect(served.ending == .exit(0))

                let report = try served.report()
                #expect(report.status == "complete")
                #expect((3.0..<3 + 0.5 * Double(costFactor)).contains(report.elapsedSeconds))
                #expect(report.items.map(\.name) == ["burger", "fries", "cola"])
                #expect(report.items.map(\.station) == ["grill", "fryer", "drinks"])
                #expect(
                    report.items.allSatisfy { $0.status == "done" && $0.attempts == 1 && $0.error == nil })
                #expect(Set(report.items.map(\.worker)) == ["worker-1", "worker-2", "worker-3"])
                try expectDesignedKeys(of: served)
            }
        }

        private func expectDesignedKeys(of served: Finished) throws {
            let object = try served.object()
            #expect(
                Set(object.keys) == [
                    "order", "name", "status", "elapsed_seconds", "accepted_at", "finished_at", "counts",
                    "items",
                ])
            let counts = try #require(object["counts"] as? [String: Int])
            #expect(
                counts == [
                    "total": 3, "done": 3, "failed": 0, "cancelled": 0, "expired": 0, "poisoned": 0,
                    "waiting": 0,
                    "leased": 0,
                ])
            let items = try #require(object["items"] as? [[String: Any]])
            for item in items {
                #expect(
                    Set(item.keys) == [
                        "index", "name", "station", "status", "attempts", "worker", "result", "error",
                        "started_at",
                        "finished_at",
                    ])
            }
        }

        @Test("max_parallel 1 is the synchronous program")
        func oneAfterTheOther() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1", "worker-2", "worker-3")
                try shop.write("short.yaml", naps(seconds: 0.3, count: 3))
                let together = try await shop.produce("submit", "short.yaml", "--wait", "--json").report()
                #expect((0.3..<0.6).contains(together.elapsedSeconds / Double(costFactor)))
                let apart = try await shop.produce(
                    "submit", "short.yaml", "--max-parallel", "1", "--wait", "--json"
                )
                .report()
                #expect((0.9..<1.3).contains(apart.elapsedSeconds / Double(costFactor)))
            }
        }

        @Test("without --wait the receipt is printed, and status, results and list know the order")
        func receipt() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try shop.write("echo.yaml", echoes("rare", "medium"))
                let receipt = try await shop.produce("submit", "echo.yaml", "--json").object()
                let order = try #require(receipt["order"] as? String)
                #expect(order.count == 26)
                #expect(receipt["status"] as? String == "running")
                let waiting = try await shop.produce("status", order, "--json").report()
                #expect(waiting.items.map(\.status) == ["waiting", "waiting"])

                try await shop.startWorkers("worker-1")
                #expect(try await shop.produce("watch", order, "--json").report().status == "complete")
                let results = try await shop.produce("results", order)
                #expect(results.output == "\"rare\"\n\"medium\"\n", "as the handler wrote them: JSON values")
                let list = try await shop.produce("list", "--status", "complete")
                #expect(list.output.contains(order))
            }
        }

        @Test("an item that fails leaves a partial tray that names it, after every attempt (FM-02)")
        func failure() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1", "worker-2")
                try shop.write(
                    "order.yaml",
                    """
                    items:
                      - {name: fine, station: echo, payload: fine}
                      - {name: burnt, station: fail, payload: {message: the fryer is on fire}, max_attempts: 2}
                      - {name: also-fine, station: echo, payload: also fine}
                    """)
                let served = try await shop.produce("submit", "order.yaml", "--wait", "--json")
                #expect(served.ending == .exit(1))
                let report = try served.report()
                #expect(report.status == "partial")
                #expect(report.items.map(\.status) == ["done", "failed", "done"])
                #expect(report.items[1].attempts == 2)
                #expect(report.items[1].error?.kind == "failed")
                #expect(report.items[1].error?.message.contains("on fire") == true)
            }
        }

        @Test("an item that fails is tried again, and its slot holds the first success (FM-03)")
        func retry() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write(
                    "order.yaml",
                    """
                    items:
                      - {station: fail, payload: {succeed_on_attempt: 3}, max_attempts: 3}
                      - {station: fail, payload: {permanent: true}, max_attempts: 3}
                    """)
                let report = try await shop.produce("submit", "order.yaml", "--wait", "--json").report()
                #expect(report.items.map(\.status) == ["done", "failed"])
                #expect(report.items.map(\.attempts) == [3, 1])
            }
        }

        @Test("an order of no items is complete at once (FM-07)")
        func nothing() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try shop.write("order.yaml", "items: []")
                let served = try await shop.produce("submit", "order.yaml", "--wait", "--json")
                #expect(served.ending == .exit(0))
                #expect(try served.report().status == "complete")
            }
        }

        @Test("a repeat with the same key finds the order of the first (FM-06)")
        func key() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("echo.yaml", echoes("one"))
                let first = try await shop.produce(
                    "submit", "echo.yaml", "--key", "nightly", "--wait", "--json")
                let second = try await shop.produce(
                    "submit", "echo.yaml", "--key", "nightly", "--wait", "--json")
                #expect(try first.report().order == second.report().order)
                try shop.write("echo.yaml", echoes("two"))
                let other = try await shop.produce("submit", "echo.yaml", "--key", "nightly")
                #expect(other.ending == .exit(65))
            }
        }

        /// Travels in 80 pages.
        private static let bulk =
            "items:\n" + String(repeating: "  - {station: echo, payload: x}\n", count: 20_000)

        /// A producer that brings `Self.bulk` under the key `nightly`, slowly.
        private func feed(_ shop: Shop, by proxy: Proxy) throws -> Running {
            proxy.behave(Proxy.Manner(delay: .milliseconds(200)))
            return try shop.start(
                "producer", "submit", "bulk.yaml", "--key", "nightly", "--orders", proxy.endpoint)
        }

        private func waitForHalfAnOrder(_ shop: Shop) async throws {
            try await eventually("an order that is being submitted") {
                try await shop.produce("ping", "--json").object()["open_items"] as? Int == 20_000 ? true : nil
            }
        }

        @Test("a repeat with the same key goes on where a killed producer stopped, whoever else died (FM-08)")
        func keyOfTheDead() async throws {
            try await Shop.open { shop in
                var assembler = try await shop.startAssembler()
                try shop.write("bulk.yaml", Self.bulk)
                let proxy = try shop.proxy(to: "TRAY_ORDERS")
                let first = try feed(shop, by: proxy)
                try await waitForHalfAnOrder(shop)
                try await first.die()
                proxy.close()
                #expect(first.outputText == "", "it had no receipt")
                try await assembler.die()
                assembler = try await shop.startAssembler()
                try await waitForHalfAnOrder(shop)
                let second = try await shop.produce(
                    "submit", "bulk.yaml", "--key", "nightly", "--timeout", "30s")
                #expect(second.ending == .exit(0), "\(second.errors)")
                #expect(try await shop.orders().map { $0["order"] as? String } == [second.line])
                #expect(try await shop.produce("ping", "--json").object()["open_items"] as? Int == 20_000)
            }
        }

        @Test("that another producer goes on with while the first is frozen is one order for both (FM-06)")
        func keyOfTheFrozen() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try shop.write("bulk.yaml", Self.bulk)
                let proxy = try shop.proxy(to: "TRAY_ORDERS")
                let first = try feed(shop, by: proxy)
                try await waitForHalfAnOrder(shop)
                first.send(SIGSTOP)
                let second = try await shop.produce(
                    "submit", "bulk.yaml", "--key", "nightly", "--timeout", "30s")
                #expect(second.ending == .exit(0), "\(second.errors)")
                #expect(first.outputText == "", "it had no receipt")
                first.send(SIGCONT)
                let thawed = try await shop.finish(first)
                #expect(thawed.ending == .exit(0), "\(thawed.errors)")
                #expect(thawed.line == second.line)
                #expect(try await shop.orders().map { $0["order"] as? String } == [second.line])
                proxy.close()
            }
        }
    }
}

/// An order file of items that sleep.
func naps(seconds: Double, count: Int) -> String {
    let seconds = seconds * Double(costFactor)
    return "items:\n"
        + (0..<count).map { "  - {name: nap-\($0), station: grill, payload: {seconds: \(seconds)}}\n" }
        .joined()
}

/// An order file of items that give their payload back.
func echoes(_ texts: String...) -> String {
    "items:\n" + texts.map { "  - {station: echo, payload: \($0)}\n" }.joined()
}
