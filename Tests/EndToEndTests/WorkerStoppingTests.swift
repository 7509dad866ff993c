import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("A worker that is told to stop")
    struct WorkerStoppingTests {
        private static let stations = """
            stations:
              grill:    {handler: sleep, capacity: 2}
              command:  {handler: command, command: [sleep, "{payload}"], capacity: 2}
              stubborn: {handler: command, command: [sh, -c, "trap '' TERM; while :; do sleep 9; done"],
                         capacity: 2}
            """

        @Test("lets what runs finish, takes nothing more, and exits 0 (FM-46)", arguments: [SIGTERM, SIGINT])
        func once(signal: Int32) async throws {
            try await Shop.open { shop in
                let worker = try await start(shop)
                try shop.write("order.yaml", work(seconds: 2))
                let order = try await shop.produce("submit", "order.yaml").line
                try await shop.waitForLeases(of: order, count: 4)
                worker.send(signal)
                #expect(try await worker.end(within: .seconds(10)) == .exit(0))
                let items = try await shop.produce("status", order, "--json").report().items
                let done = items.filter { $0.status == "done" }
                #expect(done.count == 4)
                #expect(done.allSatisfy { $0.worker == "worker-1" && $0.attempts == 1 })
                #expect(items.count { $0.status == "waiting" && $0.attempts == 0 } == 2)
            }
        }

        @Test(
            "and told again, stops what runs, gives it back uncounted, and exits 0 (FM-46)",
            arguments: [SIGTERM, SIGINT])
        func twice(signal: Int32) async throws {
            try await Shop.open { shop in
                let worker = try await start(shop)
                try shop.write("order.yaml", work(seconds: 60))
                let order = try await shop.produce("submit", "order.yaml").line
                try await shop.waitForLeases(of: order, count: 4)
                worker.send(signal)
                try await eventually("the drain") { worker.errorText.contains("draining") ? true : nil }
                worker.send(signal)
                #expect(try await worker.end(within: .seconds(5)) == .exit(0))
                try await shop.waitForNoCommands(within: .seconds(1))
                let report = try await shop.produce("status", order, "--json").report()
                #expect(report.items.count == 6)
                #expect(report.items.allSatisfy { $0.status == "waiting" && $0.attempts == 0 })
            }
        }

        @Test(
            "leaves no process of a command that does not obey within the second that it has, and exits 1 (FM-42)"
        )
        func stubborn() async throws {
            try await Shop.open { shop in
                let worker = try await start(shop)
                try shop.write("order.yaml", "items: [{station: stubborn}, {station: stubborn}]")
                #expect(try await shop.produce("submit", "order.yaml").ending == .exit(0))
                try await shop.waitForCommands(count: 4)
                worker.send(SIGTERM)
                try await eventually("the drain") { worker.errorText.contains("draining") ? true : nil }
                worker.send(SIGTERM)
                #expect(try await worker.end(within: .seconds(5)) == .exit(1))
                #expect(worker.errorText.contains("left behind: 2 running handlers"))
                try await shop.waitForNoCommands(within: .seconds(1))
            }
        }

        @Test(
            "while it waits for an assembler, which it says once, exits 0 at once",
            arguments: [SIGTERM, SIGINT])
        func withoutAssembler(signal: Int32) async throws {
            try await Shop.open { shop in
                let worker = try shop.startWorker("worker-1")
                try await eventually("the word that it waits") {
                    worker.errorText.contains("waiting for the assembler") ? true : nil
                }
                try await Task.sleep(for: .seconds(2))  // some attempts more
                worker.send(signal)
                #expect(try await worker.end(within: .seconds(2)) == .exit(0))
                #expect(worker.errorText.components(separatedBy: "waiting for the assembler").count == 2)
                #expect(worker.errorText.contains(try #require(shop.environment["TRAY_KITCHEN"])))
            }
        }

        @Test("in its first moments dies of the signal, or exits 0: from its first word on it exits 0")
        func whileStarting() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                for round in 0..<60 {
                    let signal = round.isMultiple(of: 2) ? SIGTERM : SIGINT
                    let worker = try shop.startWorker("worker-1")
                    try await Task.sleep(for: .microseconds(Int.random(in: 0...60_000)))
                    worker.send(signal)
                    let ending = try await worker.end(within: .seconds(5))
                    guard ending != .exit(0) else { continue }
                    #expect(ending == .signal(signal))
                    #expect(worker.errorText.isEmpty)
                }
            }
        }

        @Test("one after the other, twice round and under load, costs no item an attempt (FM-35, FM-46)")
        func rollingRestart() async throws {
            try await Shop.open { shop in
                try shop.write("worker.yaml", WorkerStoppingTests.stations)
                try await shop.startAssembler()
                let names = (1...4).map { "worker-\($0)" }
                var workers: [String: Running] = [:]
                for name in names { workers[name] = try shop.startWorker(name) }
                try await shop.waitForWorkers(count: 4)
                try shop.write("order.yaml", load(count: 120))
                var orders: [String] = []
                for name in names + names {
                    orders.append(try await shop.produce("submit", "order.yaml").line)
                    let worker = try #require(workers[name])
                    worker.send(SIGTERM)
                    #expect(try await worker.end(within: .seconds(10)) == .exit(0))
                    let report = try await shop.produce("status", orders[orders.count - 1], "--json").report()
                    #expect(report.status == "running", "no load, no test")
                    workers[name] = try shop.startWorker(name)
                    try await shop.waitForWorkers(count: 4)
                }
                for order in orders {
                    let report = try await shop.produce("watch", order, "--json").report()
                    #expect(report.status == "complete")
                    #expect(report.items.allSatisfy { $0.attempts == 1 })
                }
            }
        }

        private func start(_ shop: Shop) async throws -> Running {
            try shop.write("worker.yaml", WorkerStoppingTests.stations)
            try await shop.startAssembler()
            return try #require(try await shop.startWorkers("worker-1")["worker-1"])
        }

        /// Three naps of a worker's own, and three of a program: of each one more than run at once.
        private func work(seconds: Int) -> String {
            "items:\n"
                + String(repeating: "  - {station: grill, payload: {seconds: \(seconds)}}\n", count: 3)
                + String(repeating: "  - {station: command, payload: \(seconds)}\n", count: 3)
        }

        private func load(count: Int) -> String {
            "items:\n"
                + String(repeating: "  - {station: grill, payload: {seconds: 0.3}}\n", count: count / 2)
                + String(repeating: "  - {station: command, payload: 0.3}\n", count: count / 2)
        }
    }
}
