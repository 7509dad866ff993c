import Foundation
import Testing

extension EndToEnd {
    @Suite("map")
    struct MapTests {
        @Test(
            "digests a folder of files as sha256sum does, though a worker is killed half-way (FM-01, FM-11)")
        func digests() async throws {
            try await Shop.open { shop in
                let names = try writeFiles(count: 300, in: shop)
                try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2")
                let lines = names.joined(separator: "\n") + "\n"
                let map = try shop.start("producer", "map", "--station", "digest", input: lines)
                try await eventually("half of the results", every: .milliseconds(5)) {
                    map.outputText.count { $0 == "\n" } >= 100 ? true : nil
                }
                #expect(map.hasEnded == nil, "too fast to kill anything")
                try await workers["worker-1"]?.die()
                let mapped = try await shop.finish(map)
                #expect(mapped.ending == .exit(0))

                let byHand = try await shop.finish(
                    try shop.start("sha256sum", at: URL(filePath: "/usr/bin/sha256sum"), names))
                #expect(sorted(mapped.output) == sorted(byHand.output))
            }
        }

        @Test("keeps the order of its lines when it is told to")
        func keepsOrder() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let lines = (1...500).map { "line \($0)\n" }.joined()
                let mapped = try await shop.produce("map", "--station", "echo", "--keep-order", input: lines)
                #expect(mapped.ending == .exit(0))
                #expect(mapped.output == lines)
            }
        }

        private func writeFiles(count: Int, in shop: Shop) throws -> [String] {
            try FileManager.default.createDirectory(
                at: shop.folder.appending(path: "files"), withIntermediateDirectories: true)
            return try (1...count).map { number in
                let name = "files/file \(number).txt"
                try shop.write(name, String(repeating: "\(number)\n", count: number))
                return name
            }
        }

        private func sorted(_ text: String) -> [Substring] { text.split(separator: "\n").sorted() }
    }
}
