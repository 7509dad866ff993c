import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("A process that freezes")
    struct FreezeTests {
        @Test("is a lost worker; thawed, its late result changes nothing, and it works again (FM-14)")
        func worker() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let frozen = try #require(try await shop.startWorkers("worker-1")["worker-1"])
                try shop.write("order.yaml", naps(seconds: 3, count: 1))
                let order = try await shop.produce("submit", "order.yaml").line
                try await shop.waitForLeases(of: order, count: 1)
                frozen.send(SIGSTOP)
                try shop.start(
                    "worker", "--config", "worker.yaml", "--name", "worker-2", "--station", "grill")
                let served = try await shop.produce("watch", order, "--json")
                #expect(served.ending == .exit(0))
                let item = try #require(try served.report().items.first)
                #expect(item.worker == "worker-2")
                #expect(item.attempts == 2)

                frozen.send(SIGCONT)
                try await shop.waitForWorkers(count: 2)
                // Only the thawed worker serves this station.
                try shop.write("echo.yaml", echoes("awake"))
                let echoed = try await shop.produce("submit", "echo.yaml", "--wait", "--json").report()
                #expect(echoed.items.map(\.worker) == ["worker-1"])
                #expect(frozen.hasEnded == nil)
                try await eventually("the word that its result was late") {
                    frozen.errorText.contains("result dropped") ? true : nil
                }
                #expect(try await shop.counters()["late_results", default: 0] > 0)
                #expect(try await shop.produce("status", order, "--json").output == served.output)
            }
        }

        @Test("for less than the heartbeat limit is not noticed, be it a worker")
        func shortly() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2")
                let sessions = try await shop.sessions()
                try shop.write("order.yaml", naps(seconds: 2, count: 8))
                let order = try await shop.produce("submit", "order.yaml").line
                try await shop.waitForLeases(of: order, count: 8)
                let frozen = try #require(workers["worker-1"])
                frozen.send(SIGSTOP)
                try await Task.sleep(for: .seconds(0.8))  // the limit is 2 s
                frozen.send(SIGCONT)
                try await expectUndisturbed(order, in: shop)
                #expect(try await shop.sessions() == sessions)
                #expect(try await shop.counters()["lost_workers"] == 0)
            }
        }

        @Test("for five seconds costs nothing, be it the assembler: no worker is dead for that (FM-32)")
        func assembler() async throws {
            try await Shop.open { shop in
                try shop.write(
                    "worker.yaml",
                    """
                    stations:
                      grill: {handler: sleep, capacity: 4}
                      log:   {handler: command, command: [sh, -c, 'echo "$(cat)" >> ran'], capacity: 4}
                    """)
                let frozen = try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2")
                let sessions = try await shop.sessions()
                try shop.write(
                    "order.yaml",
                    naps(seconds: 3, count: 8)
                        + (0..<8).map { "  - {station: log, payload: line-\($0)}\n" }.joined())
                let order = try await shop.produce("submit", "order.yaml").line
                try await shop.waitForLeases(of: order, count: 8)
                frozen.send(SIGSTOP)
                try await Task.sleep(for: .seconds(5))
                frozen.send(SIGCONT)
                try await expectUndisturbed(order, in: shop)
                let lines = try String(contentsOf: shop.folder.appending(path: "ran"), encoding: .utf8)
                #expect(
                    lines.split(separator: "\n").map(String.init).sorted() == (0..<8).map { "line-\($0)" })
                #expect(workers.values.allSatisfy { $0.hasEnded == nil })
                // A worker waits for six seconds: on a slow machine these five may be too long for it, and it connects
                // anew.
                let patient = workers.filter { !$0.value.errorText.contains("silent") }.keys
                let after = try await shop.sessions()
                #expect(after.keys.sorted() == ["worker-1", "worker-2"])
                for name in patient { #expect(after[name] == sessions[name], "\(name)") }
                if patient.count == 2 { #expect(try await shop.counters()["lost_workers"] == 0) }
            }
        }

        /// Everything ran once.
        private func expectUndisturbed(_ order: String, in shop: Shop) async throws {
            let served = try await shop.produce("watch", order, "--json")
            #expect(served.ending == .exit(0))
            #expect(try served.report().items.allSatisfy { $0.attempts == 1 && $0.status == "done" })
            try await Task.sleep(for: .seconds(3))  // whoever was to be called dead would be by now
        }
    }
}

extension Shop {
    /// When each worker's session began.
    func sessions() async throws -> [String: String] {
        let list = try await produce("workers", "--json")
        let workers = try #require(
            try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]])
        return try workers.reduce(into: [:]) {
            $0[try #require($1["name"] as? String)] = try #require($1["connected_at"] as? String)
        }
    }

    /// Waits until so many items of the order are leased.
    func waitForLeases(of order: String, count: Int) async throws {
        try await eventually("\(count) leases") {
            let report = try await produce("status", order, "--json").report()
            return report.items.count { $0.status == "leased" } >= count ? true : nil
        }
    }
}
