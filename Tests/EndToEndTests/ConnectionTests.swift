import Foundation
import Glibc
import Testing

/// What happens to connections between processes that all live.
enum Trouble: String, CaseIterable, CustomTestStringConvertible {
    case cut, reset, stall, unanswered, unheard, delay, refusal, halfOpen

    var testDescription: String { rawValue }

    /// Makes it, and takes it away again where it does not pass by itself.
    func strike(_ proxy: Proxy) async throws {
        switch self {
        case .cut: proxy.cut()
        case .reset: proxy.reset()
        case .halfOpen: proxy.abandon()
        case .stall: try await last(.stalled, on: proxy)
        // Longer than a worker or a producer bears the assembler's silence: they try again and again meanwhile.
        case .unanswered: try await last(Proxy.Manner(answers: false), on: proxy, for: .seconds(8))
        case .unheard: try await last(Proxy.Manner(forwards: false), on: proxy)
        case .delay: try await last(Proxy.Manner(delay: .milliseconds(300)), on: proxy)
        case .refusal:
            proxy.behave(Proxy.Manner(listens: false))
            proxy.cut()
            try await Task.sleep(for: .seconds(1.5))
            proxy.behave(.good)
        }
    }

    /// Longer than the silence that the assembler allows a worker.
    private func last(_ manner: Proxy.Manner, on proxy: Proxy, for duration: Duration = .seconds(3))
        async throws
    {
        proxy.behave(manner)
        try await Task.sleep(for: duration)
        proxy.behave(.good)
    }
}

extension EndToEnd {
    @Suite("A connection in trouble")
    struct ConnectionTests {
        /// Each run of an item leaves a line; it lasts as long as the trouble does.
        private static let stations = """
            stations:
              slow: {handler: command, command: [sh, -c, 'echo "$(cat)" >> ran; sleep 4'], capacity: 100}
              log: {handler: command, command: [sh, -c, 'echo "$(cat)" >> ran'], capacity: 100}
              grill: {handler: sleep, capacity: 100}
              echo: {handler: echo, capacity: 100}
            """

        @Test(
            "of a worker costs nothing that it still runs: adopted, not run again, and work flows to it (FM-40)",
            arguments: Trouble.allCases)
        func worker(trouble: Trouble) async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let proxy = try shop.proxy(to: "TRAY_KITCHEN")
                try shop.write("worker.yaml", Self.stations)
                try shop.startWorker("worker-1", by: proxy)
                try await shop.waitForWorkers(count: 1)
                let order = try await shop.produce(
                    "submit", "-", input: "items: [\(items("a", "b", "c", station: "slow"))]"
                ).line
                try await shop.waitForRuns(3)
                try await trouble.strike(proxy)

                let served = try await shop.produce("watch", order, "--json")
                let report = try served.report()
                #expect(report.status == "complete")
                #expect(report.items.map(\.status) == ["done", "done", "done"])
                #expect(shop.runs.sorted() == ["a", "b", "c"], "each ran once")
                // Whatever happened, the worker takes new work at once by now.
                let next = try await shop.produce(
                    "submit", "-", "--wait", "--json", "--wait-limit", "10s",
                    input: "items: [\(items("x", station: "echo"))]")
                #expect(try next.report().status == "complete")
                proxy.close()
            }
        }

        @Test(
            "of a producer: the same command sees its order's end, and the order ran once",
            arguments: Trouble.allCases)
        func producer(trouble: Trouble) async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try shop.write("worker.yaml", Self.stations)
                try await shop.startWorkers("worker-1")
                let proxy = try shop.proxy(to: "TRAY_ORDERS")
                let waiting = try shop.start(
                    "producer", "submit", "-", "--wait", "--json", "--orders", proxy.endpoint,
                    input:
                        "items: [\(items("a", "b", station: "log")), {station: grill, payload: {seconds: 4}}]"
                )
                try await shop.waitForRuns(2)
                try await trouble.strike(proxy)
                let served = try await shop.finish(waiting)
                #expect(served.ending == .exit(0), "\(served.errors)")
                #expect(try served.report().status == "complete")
                #expect(shop.runs.sorted() == ["a", "b"])
                #expect(try await shop.orders().count == 1)
                proxy.close()
            }
        }

        @Test(
            "of a producer that submits: its order is there once, whole (FM-08)",
            arguments: [Trouble.cut, .reset, .delay])
        func submission(trouble: Trouble) async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let proxy = try shop.proxy(to: "TRAY_ORDERS")
                let lines = (0..<5_000).map { "line \($0)" }.joined(separator: "\n")
                let mapping = try shop.start(
                    "producer", "map", "--station", "echo", "--keep-order", "--orders", proxy.endpoint,
                    input: lines)
                if trouble == .delay { proxy.behave(Proxy.Manner(delay: .milliseconds(300))) }
                try await eventually("a connection", every: .milliseconds(1)) {
                    proxy.acceptedCount > 0 ? true : nil
                }
                for _ in 0..<20 where mapping.hasEnded == nil {
                    if trouble == .cut { proxy.cut() }
                    if trouble == .reset { proxy.reset() }
                    try await Task.sleep(for: .milliseconds(50))
                }
                proxy.behave(.good)
                let mapped = try await shop.finish(mapping)
                #expect(mapped.ending == .exit(0), "\(mapped.errors)")
                #expect(mapped.output == lines + "\n")
                #expect(trouble == .delay || proxy.acceptedCount > 1, "it was in trouble")
                #expect(try await shop.orders().count == 1)
                proxy.close()
            }
        }

        @Test(
            "that breaks ten times while an item runs convicts nobody: its worker was there all the time (FM-35)"
        )
        func flapping() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let proxy = try shop.proxy(to: "TRAY_KITCHEN")
                try shop.write("worker.yaml", Self.stations)
                try shop.startWorker("worker-1", by: proxy)
                try await shop.waitForWorkers(count: 1)
                let order = try await shop.produce(
                    "submit", "-", input: "items: [\(items("a", station: "slow"))]"
                ).line
                try await shop.waitForRuns(1)
                for _ in 1...10 {
                    let connectionCount = proxy.acceptedCount
                    proxy.cut()
                    try await eventually("a new connection") {
                        proxy.acceptedCount > connectionCount ? true : nil
                    }
                    try await shop.waitForWorkers(count: 1)
                }
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.items.map(\.status) == ["done"], "\(report.items)")
                #expect(shop.runs == ["a"])
                proxy.close()
            }
        }

        @Test(
            "twenty connections that are cut: work flows to each worker long before a silence is noticed (FM-40)"
        )
        func recoveryOfCuts() async throws {
            try await recovery(within: .seconds(3), of: "a cut connection") { $0.cut() }
        }

        @Test(
            "twenty connections that are reset: work flows to each worker long before a silence is noticed (FM-40)"
        )
        func recoveryOfResets() async throws {
            try await recovery(within: .seconds(3), of: "a reset connection") { $0.reset() }
        }

        @Test(
            "twenty half-open connections: work flows to each worker again once the silence is noticed (FM-40)"
        )
        func recoveryOfHalfOpenConnections() async throws {
            // 6 s of silence, a pause of up to a second, and what a busy machine adds.
            try await recovery(within: .seconds(9), of: "a half-open connection") { $0.abandon() }
        }

        /// Twenty workers of a station each; their items come after `strike`, and their ends tell that work flows.
        private func recovery(
            within limit: Duration, of what: String, _ strike: (Proxy) -> Void
        ) async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let proxy = try shop.proxy(to: "TRAY_KITCHEN")
                let names = (1...20).map { "s\($0)" }
                for name in names {
                    try shop.write("\(name).yaml", "stations: {\(name): {handler: echo}}")
                    try shop.start(
                        "worker", "--config", "\(name).yaml", "--name", name, "--kitchen", proxy.endpoint)
                }
                try await shop.waitForWorkers(count: names.count)
                // The first connection of each is over before the order is there.
                let struckAt = Date.now
                strike(proxy)
                let list = names.map { "{station: \($0)}" }.joined(separator: ", ")
                let submitted = try await shop.produce(
                    "submit", "-", "--wait", "--json", input: "items: [\(list)]")
                let report = try submitted.report()
                #expect(report.status == "complete")
                let waits = try report.items.map { item in
                    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
                    return try style.parse(try #require(item.finishedAt)).timeIntervalSince(struckAt)
                }.sorted()
                try #require(waits.count == names.count)
                print(
                    "\(what): work again after \(milliseconds(waits[waits.count / 2])) ms (median), "
                        + "\(milliseconds(waits[waits.count - 1])) ms (worst of \(waits.count))")
                #expect(waits.allSatisfy { .seconds($0) < limit })
                proxy.close()
            }
        }

        private func milliseconds(_ seconds: Double) -> Int { Int(seconds * 1_000) }
    }
}

/// Items of one station, each with its own text, in YAML.
func items(_ payloads: String..., station: String) -> String {
    payloads.map { "{station: \(station), payload: \($0)}" }.joined(separator: ", ")
}

extension Shop {
    /// A proxy to the endpoint in this variable of the environment.
    func proxy(to variable: String) throws -> Proxy {
        try Proxy(to: try #require(environment[variable]))
    }

    @discardableResult
    func startWorker(_ name: String, by proxy: Proxy) throws -> Running {
        try start("worker", "--config", "worker.yaml", "--name", name, "--kitchen", proxy.endpoint)
    }

    /// Lines of the file `ran`: one for each run of a command that writes there.
    var runs: [String] {
        // Where none has run yet there is no file.
        let text = try? String(contentsOf: folder.appending(path: "ran"), encoding: .utf8)
        return text?.split(separator: "\n").map(String.init) ?? []
    }

    func waitForRuns(_ count: Int) async throws {
        try await eventually("\(count) runs") { runs.count >= count ? true : nil }
    }
}
