import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("Workers that come and go")
    struct NamesakeTests {
        @Test("a worker restarted under its name takes the work of its predecessor, who costs what it held")
        func restarted() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let first = try #require(try await shop.startWorkers("worker-1")["worker-1"])
                let order = try await shop.produce("submit", "-", input: naps(seconds: 3, count: 3)).line
                try await eventually("leases") {
                    try await shop.heldItems(of: order, by: "worker-1").count == 3 ? true : nil
                }
                try await first.die()
                try await shop.startWorkers("worker-1")
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.worker == "worker-1" && $0.attempts == 2 })
                let workers = try await shop.workers()
                #expect(workers.map { $0["name"] as? String } == ["worker-1"])
            }
        }

        @Test("two workers of one name are two, the second shown with a suffix, and both work (FM-52)")
        func namesakes() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try shop.write("worker.yaml", "stations: {grill: {handler: sleep, capacity: 2}}")
                for _ in 1...2 { try shop.startWorker("worker-1") }
                try await shop.waitForWorkers(count: 2)
                let names = try await shop.workers().compactMap { $0["name"] as? String }
                #expect(names.sorted() == ["worker-1", "worker-1-2"])
                let served = try await shop.produce(
                    "submit", "-", "--wait", "--json", input: naps(seconds: 0.5, count: 4))
                let report = try served.report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.attempts == 1 })
                #expect(Set(report.items.map(\.worker)) == ["worker-1", "worker-1-2"])
            }
        }

        @Test("reconnects without end disturb nobody else: leases flow beside them, and none is lost")
        func storm() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let proxy = try shop.proxy(to: "TRAY_KITCHEN")
                try shop.write("restless.yaml", "stations: {elsewhere: {handler: echo}}")
                for index in 1...8 {
                    try shop.start(
                        "worker", "--config", "restless.yaml", "--name", "restless-\(index)", "--kitchen",
                        proxy.endpoint)
                }
                let calm = try shop.startWorker("calm")
                try await shop.waitForWorkers(count: 9)
                let before = try await paced(in: shop)

                let connectionCount = proxy.acceptedCount
                let clock = ContinuousClock()
                let start = clock.now
                let cutting = Task {
                    while !Task.isCancelled {
                        proxy.cut()
                        try? await Task.sleep(for: .milliseconds(30))  // cancelled: the condition says so
                    }
                }
                defer { cutting.cancel() }
                let during = try await paced(in: shop)
                let elapsed = clock.now - start
                let rate = Double(proxy.acceptedCount - connectionCount) / (elapsed / .seconds(1))
                cutting.cancel()
                print(
                    "\(Int(rate)) reconnects a second: 100 items one after the other took \(during.elapsedSeconds) s, "
                        + "\(before.elapsedSeconds) s before")
                #expect(rate >= 20)
                for report in [before, during] {
                    #expect(report.status == "complete")
                    #expect(report.items.allSatisfy { $0.attempts == 1 && $0.worker == "calm" })
                }
                #expect(!calm.errorText.contains("connection to the assembler closed"))
                try await shop.waitForWorkers(count: 9)
                proxy.close()
            }
        }

        /// A hundred items one after the other, 20 ms each.
        private func paced(in shop: Shop) async throws -> Report {
            try await shop.produce(
                "submit", "-", "--wait", "--json", "--max-parallel", "1",
                input: naps(seconds: 0.02, count: 100)
            ).report()
        }
    }
}

extension Shop {
    /// What `producer workers` knows.
    func workers() async throws -> [[String: Any]] {
        let list = try await produce("workers", "--json")
        return try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]] ?? []
    }
}
