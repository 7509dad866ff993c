import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("An assembler that is told to stop")
    struct StoppingTests {
        @Test(
            "with work under way exits 0 at the first signal, whatever follows, and nothing is lost",
            arguments: [
                [SIGTERM], [SIGINT], [SIGTERM, SIGTERM], [SIGINT, SIGINT], [SIGTERM, SIGINT, SIGTERM],
            ])
        func working(signals: [Int32]) async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.writeCountedNaps("order.yaml", [0.1, 1, 1.5, 2])
                let order = try await shop.produce("submit", "order.yaml").line
                try await eventually("running items") { try shop.lines(of: "begun").count == 4 ? true : nil }
                for signal in signals { assembler.send(signal) }
                #expect(try await assembler.end(within: .seconds(5)) == .exit(0))
                try await shop.expectSoundStore()

                try await shop.startAssembler()
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.attempts == 1 })
                #expect(try shop.lines(of: "begun").count == 4)
            }
        }

        @Test("in the moment in which it ends exits 0 all the same")
        func whileEnding() async throws {
            try await Shop.open { shop in
                for pause in stride(from: 0, through: 9_000, by: 600) as StrideThrough<UInt32> {
                    let assembler = try await shop.startAssembler()
                    assembler.send(SIGTERM)
                    usleep(pause)
                    assembler.send(SIGTERM)
                    #expect(try await assembler.end() == .exit(0), "\(pause) µs between the signals")
                }
                try await shop.expectSoundStore()
            }
        }

        @Test("while it restores 200,000 items exits 0, and the next one has them all")
        func restoring() async throws {
            try await Shop.open { shop in
                let first = try await shop.startAssembler()
                let lines = String(repeating: "x\n", count: 200_000)
                let map = try shop.start(
                    "producer", ["map", "--station", "nowhere", "--timeout", "\(10 * costFactor)s"],
                    input: lines)
                try await eventually("the order", within: .seconds(60)) {
                    first.errorText.contains("order accepted") ? true : nil
                }
                try await shop.stop(first)
                for signal in [SIGTERM, SIGINT] {
                    let assembler = try shop.start("assembler")
                    try await eventually("its handlers of signals", every: .milliseconds(1)) {
                        try assembler.takesSignals(SIGTERM, SIGINT) ? true : nil
                    }
                    #expect(!assembler.errorText.contains("assembler started"), "it restores")
                    assembler.send(signal)
                    assembler.send(signal)
                    let ending = try await assembler.end()
                    #expect(ending == .exit(0), "\(signal): \(assembler.errorText)")
                }
                try await shop.startAssembler()
                let pong = try await shop.produce("ping", "--json").object()
                #expect(pong["open_items"] as? Int == 200_000)
                map.send(SIGTERM)
                #expect(try await map.end() == .exit(130))
                try await shop.expectSoundStore()
            }
        }

        /// Before its first instruction a process can only end by the signal itself.
        @Test("in its first milliseconds ends, by itself or by the signal, and the store is whole")
        func firstMilliseconds() async throws {
            try await Shop.open { shop in
                let first = try await shop.startAssembler()
                try shop.write("order.yaml", echoes("one"))
                let order = try await shop.produce("submit", "order.yaml").line
                try await first.die()
                for pause in stride(from: 0, through: 60_000, by: 4_000) as StrideThrough<UInt32> {
                    let assembler = try shop.start("assembler")
                    usleep(pause)
                    assembler.send(SIGTERM)
                    let ending = try await assembler.end()
                    #expect([.exit(0), .signal(SIGTERM)].contains(ending), "\(ending) after \(pause) µs")
                }
                try await shop.expectSoundStore()
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                #expect(try await shop.produce("watch", order).ending == .exit(0))
            }
        }
    }
}

extension Running {
    /// Whether the process has these signals in its own hands, as the kernel knows it.
    func takesSignals(_ signals: Int32...) throws -> Bool {
        // Where there is nothing to read it has ended, or is not there yet.
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else {
            return false
        }
        var taken: UInt64 = 0
        // Not those that are blocked: a thread blocks all of them for a moment while it starts another.
        for line in status.split(separator: "\n") where line.hasPrefix("SigCgt") {
            taken |= UInt64(line.drop { $0 != "\t" }.dropFirst(), radix: 16) ?? 0
        }
        return signals.allSatisfy { taken & (1 << UInt64($0 - 1)) != 0 }
    }
}
