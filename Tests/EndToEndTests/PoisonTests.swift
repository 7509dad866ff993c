import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("An item that ends its workers", .timeLimit(.minutes(3 * costFactor)))
    struct PoisonTests {
        /// `chop` ends the worker that runs it where its payload says so: only a process called worker, so that
        /// an orphan harms nobody else.
        private static let stations = """
            stations:
              chop:
                handler: command
                command: [sh, chop.sh, "{payload}"]
                capacity: 10
              echo: {handler: echo, capacity: 100}
            """
        /// Its worker has said by then that the item runs: one that is quicker is allowed two deaths more.
        private static let chop = """
            case "$1" in
              poison*) sleep 0.05; [ "$(cat /proc/$PPID/comm)" = worker ] && kill -9 $PPID; sleep 5 ;;
              *) sleep 0.2; echo "$1" ;;
            esac
            """

        private func open(_ body: (Shop) async throws -> Void) async throws {
            try await Shop.open { shop in
                try shop.write("chop.yaml", PoisonTests.stations)
                try shop.write("chop.sh", PoisonTests.chop)
                try await body(shop)
            }
        }

        private func supervise(_ shop: Shop, workerCount: Int) throws -> Supervisor {
            try Supervisor(shop, (1...workerCount).map { "worker-\($0)" }) {
                try shop.start("worker", "--config", "chop.yaml", "--name", $0)
            }
        }

        private func order(_ payloads: [String]) -> String {
            "items:\n" + payloads.map { "  - {station: chop, payload: \($0)}\n" }.joined()
        }

        /// Innocent items, and poison in the places of these indexes.
        private func payloads(_ count: Int, poison: Set<Int>) -> [String] {
            (0..<count).map { poison.contains($0) ? "poison-\($0)" : "carrot-\($0)" }
        }

        private func ended(_ order: String, in shop: Shop) async throws -> Report? {
            let report = try await shop.produce("status", order, "--json").report()
            return report.status == "running" ? nil : report
        }

        private func check(_ report: Report, poison: Set<Int>) {
            #expect(report.status == "partial")
            for item in report.items {
                let isPoison = poison.contains(item.index)
                #expect(item.status == (isPoison ? "poisoned" : "done"), "item \(item.index)")
                guard isPoison else { continue }
                #expect(item.error?.kind == "poisoned")
                #expect(item.error?.message.contains("worker-") == true, "its workers are named")
                #expect(item.attempts >= 5)
            }
        }

        /// max(5, 2 + ⌈log₂ of the leases that share a worker⌉), for each of them.
        private let deathCountMax = 6

        @Test("is convicted among forty innocents on three workers, and nobody else notices (FM-33, FM-35)")
        func amongInnocents() async throws {
            try await open { shop in
                try await shop.startAssembler()
                let supervisor = try supervise(shop, workerCount: 3)
                try await shop.waitForWorkers(count: 3)
                try shop.write("order.yaml", order(payloads(41, poison: [20])))
                let poisoned = try await shop.produce("submit", "order.yaml").line
                // Ordinary orders flow meanwhile.
                try shop.write("echo.yaml", echoes("one", "two", "three"))
                var flowCount = 0
                let report = try await supervisor.eventually("the end of the order") {
                    // Supervised, too: all three workers may end while it waits.
                    let waiting = try shop.start("producer", "submit", "echo.yaml", "--wait", "--json")
                    try await supervisor.eventually("the end of an ordinary order") { waiting.hasEnded }
                    let echo = try await shop.finish(waiting).report()
                    #expect(echo.status == "complete")
                    #expect(echo.elapsedSeconds < 3 * Double(costFactor))
                    flowCount += 1
                    return try await ended(poisoned, in: shop)
                }
                check(report, poison: [20])
                // Where everything costs more the first one may take as long as the conviction.
                #expect(flowCount > 1 || costFactor > 1)
                #expect((5...deathCountMax).contains(supervisor.deathCount))
                let counters = try await shop.counters()
                #expect(counters["poisoned_items"] == 1)
            }
        }

        @Test("and another one at the same time are both convicted, and nobody else is")
        func two() async throws {
            try await open { shop in
                try await shop.startAssembler()
                let supervisor = try supervise(shop, workerCount: 3)
                try shop.write("order.yaml", order(payloads(30, poison: [4, 25])))
                let poisoned = try await shop.produce("submit", "order.yaml").line
                let report = try await supervisor.eventually("the end of the order") {
                    try await ended(poisoned, in: shop)
                }
                check(report, poison: [4, 25])
                #expect(supervisor.deathCount <= 2 * deathCountMax)
            }
        }

        @Test("is convicted on the only worker, which serves others between the examinations")
        func onlyWorker() async throws {
            try await open { shop in
                try await shop.startAssembler()
                let supervisor = try supervise(shop, workerCount: 1)
                try shop.write("order.yaml", order(payloads(20, poison: [0])))
                let poisoned = try await shop.produce("submit", "order.yaml").line
                let report = try await supervisor.eventually("the end of the order") {
                    try await ended(poisoned, in: shop)
                }
                check(report, poison: [0])
                #expect((5...deathCountMax).contains(supervisor.deathCount))
            }
        }

        @Test("is still suspected after the assembler was killed: no death is forgotten (FM-34)")
        func assemblerRestart() async throws {
            try await open { shop in
                let assembler = try await shop.startAssembler()
                let supervisor = try supervise(shop, workerCount: 2)
                try shop.write("order.yaml", order(payloads(8, poison: [3])))
                let poisoned = try await shop.produce("submit", "order.yaml").line
                try await supervisor.eventually("three deaths") { supervisor.deathCount >= 3 ? true : nil }
                try await assembler.die()
                try await shop.startAssembler()
                let report = try await supervisor.eventually("the end of the order") {
                    try await ended(poisoned, in: shop)
                }
                check(report, poison: [3])
                // One that fell into the moment without an assembler was seen by nobody.
                #expect(supervisor.deathCount <= deathCountMax + 1)
            }
        }

        @Test("looks different from a worker that an operator kills three times in a row")
        func threeKills() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try shop.write("order.yaml", naps(seconds: 1, count: 3))
                let order = try await shop.produce("submit", "order.yaml").line
                for _ in 1...3 {
                    let worker = try shop.startWorker("worker-1")
                    try await eventually("a lease of the worker") {
                        try await shop.heldItems(of: order, by: "worker-1").isEmpty ? nil : true
                    }
                    try await worker.die()
                }
                try shop.startWorker("worker-1")
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(report.counts["poisoned"] == 0)
            }
        }
    }

    @Suite("A worker that only fails")
    struct FaultyWorkerTests {
        @Test("takes at most a tenth of the leases, every order is complete, and producer workers says why")
        func oneOfThree() async throws {
            try await Shop.open { shop in
                try shop.write(
                    "good.yaml",
                    "stations:\n  chop: {handler: command, command: [sleep, '0.1'], capacity: 4}\n")
                try shop.write(
                    "bad.yaml",
                    """
                    stations:
                      chop: {handler: command, command: [sh, -c, 'echo disk full >&2; exit 1'], capacity: 4}
                    """)
                try await shop.startAssembler()
                for (name, file) in [("bad", "bad.yaml"), ("good-1", "good.yaml"), ("good-2", "good.yaml")] {
                    try shop.start("worker", "--config", file, "--name", name)
                }
                try await shop.waitForWorkers(count: 3)
                try shop.write(
                    "order.yaml",
                    "items:\n" + (0..<50).map { _ in "  - {station: chop}\n" }.joined())
                let orders = try (0..<4).map { _ in
                    try shop.start("producer", "submit", "order.yaml", "--wait", "--json")
                }
                let bad = try await eventually("the probation of the bad worker") {
                    try await shop.conduct(of: "bad").flatMap {
                        $0["state"] as? String == "probation" ? $0 : nil
                    }
                }
                #expect(bad["last_failure"] as? String == "disk full")
                for order in orders {
                    let served = try await shop.finish(order)
                    #expect(served.ending == .exit(0))
                    #expect(try served.report().items.allSatisfy { $0.worker?.hasPrefix("good") == true })
                }
                let failedCount = try await shop.counters()["failed_attempts"] ?? 0
                #expect(failedCount >= 5)
                #expect(failedCount * 10 <= 200 + failedCount, "\(failedCount) failures")
                let table = try await shop.produce("workers").output
                #expect(table.contains("on probation"))
                #expect(table.contains("disk full"))
            }
        }
    }
}

extension Shop {
    /// What the assembler has counted since its start.
    func counters() async throws -> [String: Int] {
        try #require(try await produce("ping", "--json").object()["counters"] as? [String: Int])
    }

    /// How a worker is treated at its first station; `nil` where there is no such worker.
    func conduct(of worker: String) async throws -> [String: Any]? {
        let list = try await produce("workers", "--json")
        let workers = try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]]
        let stations = workers?.first { $0["name"] as? String == worker }?["stations"] as? [[String: Any]]
        return stations?.first
    }
}
