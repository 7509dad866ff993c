import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("A command")
    struct HandlerTests {
        /// What a command may do to its worker, and what the report says of it.
        private struct Deed {
            let station: String
            let script: String
            var timeout = "20s"
            var payload = ""
            let status: String
            var kind: String?
            /// What the error's message is, or else the result.
            let says: String
        }

        private static let deeds = [
            Deed(
                station: "crashes", script: "echo hot >&2; kill -SEGV $$", status: "failed", kind: "failed",
                says: "ended by SIGSEGV: hot"),
            Deed(
                station: "hangs", script: "exec sleep 300", timeout: "300ms", status: "failed",
                kind: "timeout", says: "stopped after its timeout of 0.3 seconds"),
            Deed(
                station: "ignores-sigterm", script: "trap '' TERM; while :; do sleep 9; done",
                timeout: "300ms", status: "failed", kind: "timeout",
                says: "stopped after its timeout of 0.3 seconds"),
            Deed(
                station: "forks", script: "sleep 300 & (sleep 300 & sleep 300) & echo done", status: "done",
                says: "done\n"),
            Deed(
                station: "floods-output", script: "exec head -c 1073741824 /dev/zero", status: "failed",
                kind: "failed", says: "the output of sh exceeds 1048576 bytes"),
            Deed(
                station: "floods-errors",
                script: "head -c 1073741824 /dev/zero >&2; echo the end >&2; exit 3", timeout: "60s",
                status: "failed", kind: "failed",
                says: String(repeating: "\0", count: 2_048 - "the end\n".utf8.count) + "the end"),
            Deed(station: "is-silent", script: ":", status: "done", says: ""),
            Deed(
                station: "fails-in-silence", script: "exit 3", status: "failed", kind: "failed",
                says: "exit code 3, and nothing on standard error"),
            Deed(
                station: "closes-its-pipes", script: "exec <&- >&- 2>&-; sleep 0.3; exit 3", status: "failed",
                kind: "failed", says: "exit code 3, and nothing on standard error"),
            Deed(
                station: "ends-well-without-pipes", script: "exec <&- >&- 2>&-; sleep 0.3", status: "done",
                says: ""),
            Deed(
                station: "reads-nothing", script: "sleep 0.3; echo full", payload: text(bytes: (1 << 20) - 2),
                status: "done", says: "full\n"),
        ]

        private static func text(bytes: Int) -> String { String(repeating: "x", count: bytes) }

        @Test("does what it likes, and costs neither memory nor processes; the report says what it did")
        func deeds() async throws {
            try await Shop.open { shop in
                let deeds = HandlerTests.deeds
                try shop.write("worker.yaml", stations(deeds))
                try shop.write("order.yaml", try order(deeds))
                try await shop.startAssembler()
                let worker = try #require(try await shop.startWorkers("worker-1")["worker-1"])
                let served = try await shop.finish(
                    try shop.start("producer", "submit", "order.yaml", "--wait", "--json"),
                    within: .seconds(90))
                #expect(served.ending == .exit(1))
                let report = try served.report()
                #expect(report.status == "partial")
                #expect(report.items.count == deeds.count)
                for (item, deed) in zip(report.items, deeds) {
                    #expect(item.status == deed.status, "\(deed.station)")
                    #expect(item.error?.kind == deed.kind, "\(deed.station)")
                    #expect((item.error?.message ?? item.result?.text) == deed.says, "\(deed.station)")
                }
                try await shop.waitForNoCommands(within: .seconds(1))
                let peak = try #require(ProcessEntry(worker.pid)?.memoryPeakMebibytes)
                #expect(peak < 128 * costFactor, "MiB for two gigabytes that passed by")
            }
        }

        @Test(
            "that floods its worker, sixteen at once, costs memory by its limits, not by what it writes (FM-37)"
        )
        func floods() async throws {
            try await Shop.open { shop in
                let flood = Deed(
                    station: "floods", script: "yes >&2 & exec yes", status: "failed",
                    kind: "failed", says: "the output of sh exceeds 1048576 bytes")
                try shop.write("worker.yaml", stations([flood]))
                try shop.write("order.yaml", try order([Deed](repeating: flood, count: 16)))
                try await shop.startAssembler()
                let worker = try #require(try await shop.startWorkers("worker-1")["worker-1"])
                let report = try await shop.produce("submit", "order.yaml", "--wait", "--json").report()
                #expect(report.items.count == 16)
                for item in report.items { #expect(item.error?.message == flood.says) }
                try await shop.waitForNoCommands(within: .seconds(1))
                let peak = try #require(ProcessEntry(worker.pid)?.memoryPeakMebibytes)
                #expect(peak < 192 * costFactor, "MiB")
            }
        }

        @Test("that takes every core, eight at once, holds up no heartbeat: its worker is not missed (FM-32)")
        func burns() async throws {
            try await Shop.open { shop in
                // Twice as long as a silence that makes a worker lost.
                let burn = Deed(
                    station: "burns", script: "timeout 4 sh -c 'while :; do :; done'; echo hot",
                    status: "done", says: "hot\n")
                try shop.write("worker.yaml", stations([burn]))
                try shop.write("order.yaml", try order([Deed](repeating: burn, count: 8)))
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let sessions = try await shop.sessions()
                let report = try await shop.produce("submit", "order.yaml", "--wait", "--json").report()
                #expect(report.items.allSatisfy { $0.status == "done" && $0.attempts == 1 })
                #expect(try await shop.counters()["lost_workers"] == 0)
                #expect(try await shop.sessions() == sessions)
            }
        }

        private func stations(_ deeds: [Deed]) -> String {
            "stations:\n"
                + deeds.map { deed in
                    let script = deed.script.replacing("'", with: "''")
                    return "  \(deed.station): {handler: command, command: [sh, -c, '\(script)'], "
                        + "capacity: 16, grace: 300ms}\n"
                }.joined()
        }

        private func order(_ deeds: [Deed]) throws -> String {
            let items = deeds.map { deed -> [String: Any] in
                [
                    "station": deed.station, "timeout": deed.timeout, "payload": deed.payload,
                    "max_attempts": 1,
                ]
            }
            return String(
                decoding: try JSONSerialization.data(withJSONObject: ["items": items]), as: UTF8.self)
        }
    }
}
