import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("A cancelled order")
    struct CancelTests {
        @Test("has no item that begins, or runs on, though the assembler is killed right after (FM-45)")
        func durable() async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                let assembler = try await shop.startAssembler()
                let worker = try #require(try await shop.startWorkers("worker-1")["worker-1"])
                try shop.writeCountedNaps("order.yaml", [Double](repeating: 60, count: 6))
                let order = try await shop.produce("submit", "order.yaml", "--max-parallel", "2").line
                try await eventually("two items that run") {
                    try shop.lines(of: "begun").count == 2 ? true : nil
                }
                let cancelled = try await shop.produce("cancel", order, "--json")
                #expect(cancelled.ending == .exit(0))
                #expect(try cancelled.object()["status"] as? String == "cancelled")
                try await assembler.die()
                try await shop.startAssembler()

                try await shop.waitForNoCommands(within: .seconds(5))
                let report = try await shop.produce("status", order, "--json").report()
                #expect(report.status == "cancelled")
                #expect(report.items.allSatisfy { $0.status == "cancelled" })
                let before = try await shop.produce("status", order, "--json").output
                #expect(try await shop.produce("cancel", order).ending == .exit(0))
                #expect(try await shop.produce("status", order, "--json").output == before)
                try shop.write("next.yaml", echoes("next"))
                let next = try await shop.produce("submit", "next.yaml", "--wait")
                #expect(next.ending == .exit(0))
                #expect(try shop.lines(of: "begun").count == 2)
                #expect(worker.hasEnded == nil)
            }
        }

        @Test("tells whoever waits for it, and frees the worker at once for the next (FM-45)")
        func running() async throws {
            try await Shop.open { shop in
                try shop.write(
                    "worker.yaml",
                    "stations: {nap: {handler: command, command: [sleep, '60'], capacity: 1}, "
                        + "echo: {handler: echo, capacity: 1}}")
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let waiting = try shop.start(
                    "producer", "submit", "-", "--wait", "--json",
                    input: "items: [{station: nap}, {station: nap}]")
                try await shop.waitForCommands(count: 1)
                let order = try #require(try await shop.orders().first?["order"] as? String)
                #expect(try await shop.produce("cancel", order).ending == .exit(0))
                let told = try await shop.finish(waiting, within: .seconds(5))
                #expect(told.ending == .exit(1))
                #expect(try told.report().items.map(\.error?.kind) == ["cancelled", "cancelled"])
                try await shop.waitForNoCommands(within: .seconds(5))
                try await eventually("a free place") {
                    let stations = try await shop.workers().first?["stations"] as? [[String: Any]]
                    let nap = stations?.first { $0["station"] as? String == "nap" }
                    return nap?["leased"] as? Int == 0 ? true : nil
                }
            }
        }
    }
}
