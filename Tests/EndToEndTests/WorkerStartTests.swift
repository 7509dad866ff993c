import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("A worker that serves some of its stations")
    struct WorkerStartTests {
        private static let stations = """
            stations:
              echo:   {handler: echo, capacity: 2}
              digest: {handler: command, command: [no-such-program], capacity: 2}
              vast:   {handler: echo, capacity: 65536}
              wide:   {handler: echo, capacity: 65536}
            """

        private struct Worker: Decodable {
            struct Station: Decodable, Equatable {
                let station: String
                let capacity: Int
            }

            let stations: [Station]
        }

        @Test("does not need the programs of the others")
        func unserved() async throws {
            try await Shop.open { shop in
                let stations = try await served(["--station", "echo=7"], in: shop)
                #expect(stations == [.init(station: "echo", capacity: 7)])
            }
        }

        @Test("needs room for the capacities that it chooses, not for those of the file")
        func chosenCapacities() async throws {
            try await Shop.open { shop in
                let stations = try await served(["--station", "vast=1", "--station", "wide=2"], in: shop)
                #expect(
                    stations == [.init(station: "vast", capacity: 1), .init(station: "wide", capacity: 2)])
            }
        }

        private func served(_ flags: [String], in shop: Shop) async throws -> [Worker.Station] {
            try shop.write("worker.yaml", WorkerStartTests.stations)
            try await shop.startAssembler()
            _ = try shop.start("worker", ["--config", "worker.yaml"] + flags)
            try await shop.waitForWorkers(count: 1)
            let list = try await shop.produce("workers", "--json").output
            return try #require(try JSONDecoder().decode([Worker].self, from: Data(list.utf8)).first).stations
        }

        @Test(
            "says what is wrong with its choice, and exits with 64; with 78 where the program is missing",
            arguments: [
                (
                    ["--station", "echi"], 64,
                    "--station echi: no such station; known are echo, digest, vast, wide"
                ),
                (["--station", "echo", "--station", "echo=2"], 64, #""echo" is given twice"#),
                (["--station", "echo=0"], 64, "capacities are from 1 to 65536"),
                (
                    ["--station", "vast", "--station", "wide=1"], 64,
                    "the capacities add up to 65537; at most 65536"
                ),
                (["--station", "digest"], 78, "worker.yaml:3: stations.digest.command: no program"),
            ])
        func wrong(flags: [String], code: Int32, message: String) async throws {
            try await Shop.open { shop in
                try shop.write("worker.yaml", WorkerStartTests.stations)
                let worker = try await shop.finish(
                    try shop.start("worker", ["--config", "worker.yaml"] + flags), within: .seconds(10))
                #expect(worker.ending == .exit(code))
                #expect(worker.errors.contains(message), "\(worker.errors)")
            }
        }
    }
}
