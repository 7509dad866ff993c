import Foundation
import Harnesses
import Testing

/// What has found something once, and what nobody should ever find anything with.
@Suite("The corpus")
struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

    /// The inputs of a harness that have found something, by name.
    static func inputs(of harness: Harness) throws -> [(name: String, bytes: [UInt8])] {
        let folder = folder.appending(path: harness.name)
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .filter { !$0.hasPrefix(".") }
            .map { ($0, Array(try Data(contentsOf: folder.appending(path: $0)))) }
    }

    @Test("of inputs that have found something finds nothing any more", arguments: Harness.all.map(\.name))
    func replay(name: String) throws {
        let harness = try #require(Harness.all.first { $0.name == name })
        for input in try CorpusTests.inputs(of: harness) {
            #expect(throws: Never.self, "\(name)/\(input.name)") { try harness.run(input.bytes) }
        }
    }

    @Test("belongs to harnesses that there are")
    func folders() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: CorpusTests.folder.path)
            .filter { !$0.hasPrefix(".") }
        #expect(folders.allSatisfy { folder in Harness.all.contains { $0.name == folder } })
        #expect(!folders.isEmpty)
    }
}

@Suite("A harness")
struct HarnessTests {
    @Test("finds nothing with what the encoders write", arguments: Harness.all.map(\.name))
    func seeds(name: String) throws {
        let harness = try #require(Harness.all.first { $0.name == name })
        var messageCount = 0
        for (index, seed) in harness.seeds(count: 150).enumerated() {
            do {
                messageCount += try harness.run(seed)
            } catch {
                Issue.record(error, "\(name), seed \(index)")
            }
        }
        #expect(messageCount >= 150)
    }

    @Test(
        "finds nothing with what is cut off, and with single bits turned", arguments: Harness.all.map(\.name))
    func damage(name: String) throws {
        let harness = try #require(Harness.all.first { $0.name == name })
        var generator = Generator(seed: 1)
        for (index, seed) in harness.seeds(count: 100).enumerated() where !seed.isEmpty {
            let end = generator.int(0...seed.count - 1)
            #expect(throws: Never.self, "\(name), seed \(index), \(end) bytes") {
                try harness.run(Array(seed[..<end]))
            }
            let (place, bit) = (generator.int(0...seed.count - 1), generator.int(0...7))
            var turned = seed
            turned[place] ^= 1 << bit
            #expect(throws: Never.self, "\(name), seed \(index), bit \(bit) of byte \(place)") {
                try harness.run(turned)
            }
        }
    }

    @Test("takes records apart as they were joined")
    func records() {
        let records: [(control: UInt8, bytes: [UInt8])] = [
            (1, []), (2, [0xf1, 0xf2]), (3, [7]), (4, [0xf1, 0xf1]),
        ]
        let parts = Array(Records(Records.joined(records)))
        #expect(parts.map(\.control) == records.map(\.control))
        #expect(parts.map(\.bytes) == records.map(\.bytes))
    }
}
