import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("examples/worker.py")
    struct StrangerTests {
        /// The Python of `scripts/install-dependencies --test`, or of the machine.
        private static let python = [
            Place.repository.appending(path: ".build/python/bin/python3"), URL(filePath: "/usr/bin/python3"),
        ]
        .first { canRun($0) }

        private static func canRun(_ python: URL) -> Bool {
            let examples = Place.repository.appending(path: "examples")
            guard FileManager.default.isExecutableFile(atPath: python.path) else { return false }
            let process = Process()
            process.executableURL = python
            process.arguments = ["-c", "import zmq, tray_pb2"]
            process.environment = ["PYTHONPATH": examples.path, "PYTHONDONTWRITEBYTECODE": "1"]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }  // no Python: the test is skipped
            process.waitUntilExit()
            return process.terminationStatus == 0
        }

        @Test(
            "takes a Swift worker's place while an order runs",
            .enabled(
                if: python != nil, "no Python with pyzmq and protobuf: scripts/install-dependencies --test"))
        func replaces() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-swift")
                try shop.write("order.yaml", naps(seconds: 0.5, count: 8))
                let order = try await shop.produce("submit", "order.yaml", "--max-parallel", "2").line
                try await eventually("the first results") {
                    let report = try await shop.produce("status", order, "--json").report()
                    return report.counts["done", default: 0] >= 2 ? true : nil
                }
                let stranger = try startStranger(in: shop)
                try await shop.waitForWorkers(count: 2)
                try await workers["worker-swift"]?.die()

                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(Set(report.items.map(\.worker)) == ["worker-swift", "worker-python"])
                stranger.send(SIGTERM)
                #expect(try await stranger.end(within: .seconds(10)) == .exit(0))
            }
        }

        @Test(
            "keeps what it runs and holds over the death of the assembler (FM-26, FM-40)",
            .enabled(
                if: python != nil, "no Python with pyzmq and protobuf: scripts/install-dependencies --test"))
        func reconnects() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                _ = try startStranger(in: shop)
                try await shop.waitForWorkers(count: 1)
                try shop.write(
                    "order.yaml",
                    "items: [{station: grill, payload: {seconds: 1}}, {station: grill, payload: {seconds: 4}}]"
                )
                let order = try await shop.produce("submit", "order.yaml").line
                try await eventually("two leases") {
                    let report = try await shop.produce("status", order, "--json").report()
                    return report.counts["leased"] == 2 ? true : nil
                }
                try await assembler.die()
                try await Task.sleep(for: .seconds(1.5))  // the first nap ends while nobody listens
                try await shop.startAssembler()
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.attempts == 1 && $0.worker == "worker-python" })
            }
        }

        private func startStranger(in shop: Shop) throws -> Running {
            let script = Place.repository.appending(path: "examples/worker.py").path
            let arguments = [script, "--name", "worker-python", "--station", "grill=10"]
            return try shop.start("worker-python", at: try #require(StrangerTests.python), arguments)
        }
    }
}
