import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("Events")
    struct EventTests {
        private struct Event: Decodable {
            struct Fields: Decodable {
                let order: String?
                let index: Int?
                let status: String?
                let worker: String?
                let attempt: Int?
            }

            let specversion: String
            let id: String
            let source: String
            let type: String
            let subject: String
            let time: String
            let sequence: String
            let data: Fields
        }

        private func events(of listener: Running) throws -> [Event] {
            let lines = listener.outputText.split(separator: "\n", omittingEmptySubsequences: false)
                .dropLast()
            return try lines.map { try JSONDecoder().decode(Event.self, from: Data($0.utf8)) }
        }

        /// A listener that hears what happens from now on: a subscription takes a moment to arrive.
        private func listen(_ shop: Shop, _ topics: String...) async throws -> Running {
            let listener = try shop.start("producer", ["events", "--json"] + topics)
            try shop.write("probe.yaml", echoes("probe"))
            try await eventually("the first event") {
                _ = try await shop.produce("submit", "probe.yaml", "--wait")
                return listener.outputText.isEmpty ? nil : true
            }
            return listener
        }

        @Test("tell an order's life, each once, in the form of CloudEvents, with a sequence without gaps")
        func life() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2")
                let listener = try await listen(shop, "order.", "item.", "attempt.", "worker.")
                try shop.write("order.yaml", naps(seconds: 4, count: 2))
                let order = try await shop.produce("submit", "order.yaml").line
                let victim = try await eventually("a lease") {
                    try events(of: listener).first { $0.type == "tray.item.leased" && $0.subject == order }?
                        .data.worker
                }
                try await workers[victim]?.die()
                #expect(try await shop.produce("watch", order, "--json").report().status == "complete")
                try await eventually("the end") {
                    try events(of: listener).first { $0.type == "tray.order.served" && $0.subject == order }
                }

                let heard = try events(of: listener)
                let own = heard.filter { $0.subject == order }.map(\.type)
                #expect(own.first == "tray.order.accepted")
                #expect(own.last == "tray.order.served")
                #expect(own.count { $0 == "tray.item.settled" } == 2)
                #expect(own.count { $0 == "tray.item.leased" } == 3, "one was leased again")
                #expect(heard.contains { $0.type == "tray.worker.lost" && $0.subject == victim })
                #expect(heard.contains { $0.type == "tray.attempt.lost" && $0.data.worker == victim })
                for event in heard {
                    #expect(event.specversion == "1.0" && event.source == "/tray/assembler")
                    #expect(event.time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
                }
                #expect(Set(heard.map(\.id)).count == heard.count)
                for (_, events) in Dictionary(grouping: heard, by: \.type) {
                    let numbers = events.compactMap { Int($0.sequence) }
                    #expect(numbers == Array(numbers[0]..<numbers[0] + events.count))
                }
            }
        }

        @Test("of other topics are left out, and people read a line each")
        func topics() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let listener = try await listen(shop, "order.served")
                let reader = try shop.start("producer", "events", "order.served")
                try await eventually("a line") {
                    _ = try await shop.produce("submit", "probe.yaml", "--wait")
                    return reader.outputText.isEmpty ? nil : true
                }
                #expect(try events(of: listener).allSatisfy { $0.type == "tray.order.served" })
                let line = try #require(reader.outputText.split(separator: "\n").first)
                #expect(line.contains(" order.served 01"))
                #expect(line.contains("status=complete"))
            }
        }

        @Test("stop with the assembler and go on with the next one; the listener says so, and ends with 130")
        func restart() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let listener = try await listen(shop, "order.served")
                try await assembler.die()
                try await eventually("a word of it") { listener.errorText.contains("is gone") ? true : nil }
                try await shop.startAssembler()
                try await eventually("a word of it") { listener.errorText.contains("is back") ? true : nil }
                let count = try events(of: listener).count
                try await eventually("an event") {
                    _ = try await shop.produce("submit", "probe.yaml", "--wait")
                    return try events(of: listener).count > count ? true : nil
                }
                #expect(
                    try events(of: listener).last?.id.hasPrefix("2-") == true, "of the second incarnation")
                listener.send(SIGINT)
                #expect(try await listener.end() == .exit(130))
            }
        }

        @Test("that nobody was there to hear are counted: the next reader sees the gap")
        func gap() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let first = try await listen(shop, "order.served")
                first.send(SIGTERM)
                try await first.end()
                let last = try #require(try events(of: first).last.flatMap { Int($0.sequence) })
                // The end of a reader takes a moment to arrive; from then on nobody is told.
                for _ in 0..<5 { _ = try await shop.produce("submit", "probe.yaml", "--wait") }
                let second = try await listen(shop, "order.served")
                let next = try #require(try events(of: second).first.flatMap { Int($0.sequence) })
                #expect(next > last + 5)
            }
        }

        @Test("of a topic as long as it may be are subscribed to, though there are none")
        func longTopic() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let listener = try await listen(shop, String(repeating: "x", count: 245), "order.served")
                #expect(listener.hasEnded == nil)
                #expect(try await shop.counters()["malformed_messages"] == 0)
                let tooLong = try await shop.produce("events", String(repeating: "x", count: 246))
                #expect(tooLong.ending == .exit(64))
            }
        }

        @Test("of an assembler that is not there are an error that names the endpoint (69)")
        func unreachable() async throws {
            try await Shop.open { shop in
                let finished = try await shop.produce("events", "--timeout", "300ms")
                #expect(finished.ending == .exit(69))
                #expect(finished.errors.contains(try #require(shop.environment["TRAY_EVENTS"])))
            }
        }
    }
}
