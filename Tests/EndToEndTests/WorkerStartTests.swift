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
                try shop.write("worker.yaml", WorkerStartTests.stations)
                try await shop.startAssembler()
                try shop.start("worker", "--config", "worker.yaml", "--station", "echo=7")
                try await shop.waitForWorkers(count: 1)
                let list = try await shop.produce("workers", "--json").output
                let workers = try JSONDecoder().decode([Worker].self, from: Data(list.utf8))
                #expect(workers.map(\.stations) == [[.init(station: "echo", capacity: 7)]])
            }
        }

        @Test(
            "says what is wrong with its choice, and exits with 64; with 78 where the program is missing",
            arguments: [
                (["--station", "echi"], 64, "--station echi: no such station; known are echo, digest"),
                (["--station", "echo", "--station", "echo=2"], 64, #""echo" is given twice"#),
                (["--station", "echo=0"], 64, "capacities are from 1 to 65536"),
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
