import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// What is wrong is said once, with its place, on standard error; nothing is on standard output.
    @Suite("Bad input")
    struct BadInputTests {
        @Test("in an order is answered with file, line and field (65)", arguments: Mistake.orders)
        func orders(mistake: Mistake) async throws { try await expectAnswer(to: mistake) }

        @Test("in files and menus is answered with file, line and field (65)", arguments: Mistake.files)
        func files(mistake: Mistake) async throws { try await expectAnswer(to: mistake) }

        @Test(
            "in a configuration is answered with file and key, or the variable (78)",
            arguments: Mistake.configurations)
        func configurations(mistake: Mistake) async throws { try await expectAnswer(to: mistake) }

        @Test("on the command line is answered with the flag (64)", arguments: Mistake.flags)
        func flags(mistake: Mistake) async throws { try await expectAnswer(to: mistake) }

        private func expectAnswer(to mistake: Mistake) async throws {
            try await Shop.open { shop in
                if let file = mistake.file {
                    try Data(file.bytes).write(to: shop.folder.appending(path: file.name))
                }
                shop.environment.merge(mistake.environment) { $1 }
                let process = try shop.start(
                    mistake.command[0], Array(mistake.command.dropFirst()), input: mistake.input)
                let finished = try await shop.finish(process, within: .seconds(30))
                #expect(finished.ending == .exit(mistake.status), "\(finished.errors)")
                #expect(finished.output.isEmpty)
                let lines = finished.errors.split(separator: "\n")
                // Wrong usage shows the usage, too.
                #expect(lines.count == 1 || finished.errors.contains("Usage: "), "\(finished.errors)")
                for words in mistake.words {
                    #expect(lines.first?.contains(words) == true, "\(finished.errors)")
                }
            }
        }

        @Test(
            "of hundreds of megabytes is refused in bounded memory, from a file and from standard input",
            arguments: [
                ("submit order.yaml", "1048576 bytes", 64), ("map --station a large", "1048576 bytes", 64),
                ("map --station a - < large", "1048576 bytes", 64),
                ("submit - < large", "268435456 bytes", 400),
            ])
        func large(command: String, words: String, mebibytesMax: Int) async throws {
            try await Shop.open { shop in
                let large = shop.folder.appending(path: "large")
                try #require(FileManager.default.createFile(atPath: large.path, contents: nil))
                try #require(truncate(large.path, 500 << 20) == 0)
                try shop.write("order.yaml", "items: [{station: a, payload_file: large}]\n")
                // A limit of its address space could not be told from a crash: the peak is looked at, often.
                let producer = try shop.start(
                    "shell", at: URL(filePath: "/bin/sh"),
                    ["-c", #"exec "$0" "# + command, Place.executables.appending(path: "producer").path])
                var peak = 0
                let ending = try await eventually("the end", within: .seconds(60), every: .milliseconds(1)) {
                    peak = max(peak, ProcessEntry(producer.pid)?.memoryPeakMebibytes ?? 0)
                    return producer.hasEnded
                }
                print("\(command): \(peak) MiB at most")
                #expect(ending == .exit(65), "\(producer.errorText)")
                #expect(producer.errorText.contains(words), "\(producer.errorText)")
                #expect((1...mebibytesMax * costFactor).contains(peak))
            }
        }

        @Test("of an order without items is none: it is complete at once")
        func noItems() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let served = try await shop.produce("submit", "-", "--wait", "--json", input: "items: []\n")
                #expect(served.ending == .exit(0))
                #expect(try served.report().status == "complete")
            }
        }

        @Test("of a station that nobody serves yet is none: it waits, and is seen to wait (FM-24)")
        func unservedStation() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let order = try await shop.produce(
                    "submit", "-", input: "items: [{station: echo, payload: a}]\n")
                #expect(order.ending == .exit(0))
                let list = try await shop.produce("stations", "--json")
                let stations = try #require(
                    try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]])
                #expect(stations.count == 1)
                #expect(stations.first?["station"] as? String == "echo")
                #expect(stations.first?["waiting"] as? Int == 1)
                #expect(stations.first?["workers"] as? Int == 0)
                #expect(try await shop.produce("stations").output.contains("none"))
                try await shop.startWorkers("worker-1")
                #expect(try await shop.produce("watch", order.line).ending == .exit(0))
            }
        }

        @Test(
            "is not what is merely unusual: a byte-order mark, CRLF, JSON with a comma too many, one document marked",
            arguments: [
                "\u{FEFF}items: [{station: echo, payload: a}]\n",
                "items:\r\n  - station: echo\r\n    payload: a\r\n",
                "{\"items\": [{\"station\": \"echo\", \"payload\": \"a\"},]}",
                "---\nitems: [{station: echo, payload: a}]\n...\n",
            ])
        func unusual(text: String) async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let served = try await shop.produce("submit", "-", "--wait", "--json", input: text)
                #expect(try served.report().items.map(\.result?.text) == ["a"], "\(served.errors)")
            }
        }
    }
}
