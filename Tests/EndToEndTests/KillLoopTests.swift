import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// The whole promise at once: random kills, real load, and nothing is lost.
    @Suite("Twenty kills of the assembler under load")
    struct KillLoopTests {
        private static let killCount = 20
        private static let itemCount = 12

        @Test("leave every order complete and every slot settled once (FM-10, FM-21, FM-26)")
        func killLoop() async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                var assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1", "worker-2")
                try shop.writeCountedNaps(
                    "order.yaml", (0..<KillLoopTests.itemCount).map { 0.05 * Double($0) })
                var producers: [Running] = []
                var recoveries: [Recovery] = []
                try shop.write("probe.yaml", echoes("probe"))
                for round in 0..<KillLoopTests.killCount {
                    for _ in 0..<2 { producers.append(try shop.submitAndWait()) }
                    try await Task.sleep(for: .milliseconds(Int.random(in: 20...900)))
                    try await assembler.die()
                    // Some come while nobody is there.
                    if round.isMultiple(of: 5) { producers.append(try shop.submitAndWait()) }
                    let begin = Date()
                    assembler = try shop.start("assembler")
                    let probe = try await shop.produce("submit", "probe.yaml", "--wait", "--json")
                    #expect(probe.ending == .exit(0), "\(probe.errors)")
                    recoveries.append(try Recovery(probe, since: begin))
                }
                var orders: Set<String> = []
                for producer in producers {
                    let served = try await shop.finish(producer, within: .seconds(100))
                    #expect(served.ending == .exit(0), "\(served.errors)")
                    let report = try served.report()
                    #expect(report.counts["done"] == KillLoopTests.itemCount)
                    #expect(report.items.map(\.index) == Array(0..<KillLoopTests.itemCount))
                    orders.insert(report.order)
                }
                #expect(orders.count == producers.count)
                let begun = try shop.lines(of: "begun")
                #expect(Set(begun).count == producers.count * KillLoopTests.itemCount)
                print("repeated runs: \(begun.count - Set(begun).count) of \(begun.count)")
                print("exec to the first receipt, s: \(Recovery.figures(recoveries.map(\.receipt)))")
                print("exec to the first new lease, s: \(Recovery.figures(recoveries.map(\.lease)))")
                try await shop.expectLandings(of: orders, count: KillLoopTests.itemCount)
                try await shop.stop(assembler)
                try await shop.expectSoundStore()
            }
        }
    }
}

/// How long an order that came at once had to wait after the start of an assembler, in seconds.
private struct Recovery {
    let receipt: Double
    let lease: Double

    init(_ probe: Finished, since begin: Date) throws {
        let times = try probe.times()
        receipt = times.accepted.timeIntervalSince(begin)
        lease = times.started.timeIntervalSince(begin)
    }

    static func figures(_ seconds: [Double]) -> String {
        let sorted = seconds.sorted()
        return String(format: "median %.3f, worst %.3f", sorted[sorted.count / 2], sorted.last ?? 0)
    }
}

extension Shop {
    /// A producer that waits for its order, however often the assembler dies.
    fileprivate func submitAndWait() throws -> Running {
        try start("producer", "submit", "order.yaml", "--wait", "--json", "--timeout", "60s")
    }

    /// Every order has exactly the landings 1 to `count`.
    fileprivate func expectLandings(of orders: Set<String>, count: Int) async throws {
        for order in orders {
            let watcher = try start("producer", "watch", order, "--follow", "--json")
            try await watcher.end()
            #expect(try watcher.landings() == Array(1...count))
        }
    }
}
