import Foundation
import Glibc
import Testing
import Wire

/// SIGTERM or SIGINT.
enum StopSignal: CaseIterable, CustomTestStringConvertible {
    case terminate, interrupt

    var number: Int32 { self == .terminate ? SIGTERM : SIGINT }
    var testDescription: String { self == .terminate ? "SIGTERM" : "SIGINT" }
}

extension EndToEnd {
    @Suite("A producer that is told to stop")
    struct ProducerStoppingTests {
        /// More than a pipe holds, from a hundred items.
        private static let bulk =
            "items:\n"
            + (0..<100).map { index in
                "  - {station: echo, payload: \"\(String(repeating: "\(index % 10)", count: 2_000))\"}\n"
            }.joined()

        @Test("while it starts is gone at once, and has done nothing", arguments: StopSignal.allCases)
        func starting(signal: StopSignal) async throws {
            try await Shop.open { shop in
                try shop.write("order.yaml", echoes("one"))
                for milliseconds in [0, 5, 10, 20, 40] {
                    let producer = try shop.start("producer", "submit", "order.yaml")
                    try await Task.sleep(for: .milliseconds(milliseconds))
                    producer.send(signal.number)
                    let ending = try await producer.end(within: .seconds(2))
                    // Before its first line runs, the signal's own effect is all that there can be.
                    #expect([.exit(130), .signal(signal.number)].contains(ending))
                }
            }
        }

        @Test("while no assembler answers says that nothing was submitted", arguments: StopSignal.allCases)
        func connecting(signal: StopSignal) async throws {
            try await Shop.open { shop in
                try shop.write("order.yaml", echoes("one"))
                let (listener, port) = try Loopback.listen(port: 0)
                defer { close(listener) }
                let producer = try shop.start(
                    "producer", "submit", "order.yaml", "--wait", "--timeout", "1m", "--orders",
                    "tcp://127.0.0.1:\(port)")
                let connection = try await eventually("a connection", every: .milliseconds(2)) {
                    let connection = accept(listener, nil, nil)
                    return connection >= 0 ? connection : nil
                }
                defer { close(connection) }
                try await expectEnd(of: producer, by: signal, saying: "nothing was submitted", shop)
            }
        }

        @Test(
            "while it submits says how to see whether the order was accepted", arguments: StopSignal.allCases)
        func submitting(signal: StopSignal) async throws {
            try await Shop.open { shop in
                let asked = Asked()
                let counter = try FakeAssembler { message in
                    if case .submit = message.body { asked.note() }
                    return []
                }
                try shop.write("order.yaml", echoes("one"))
                let producer = try shop.start(
                    "producer", "submit", "order.yaml", "--wait", "--orders", counter.endpoint)
                try await eventually("a submission") { asked.hasBeen ? true : nil }
                try await expectEnd(of: producer, by: signal, saying: "producer status 01", shop)
                counter.close()
            }
        }

        @Test("while it submits with a key says to submit again: a known key's order has another id")
        func submittingWithKey() async throws {
            try await Shop.open { shop in
                let asked = Asked()
                let silent = try FakeAssembler { message in
                    if case .submit = message.body { asked.note() }
                    return []
                }
                try shop.write("order.yaml", echoes("one"))
                let producer = try shop.start(
                    "producer", "submit", "order.yaml", "--key", "one", "--orders", silent.endpoint)
                try await eventually("a submission") { asked.hasBeen ? true : nil }
                try await expectEnd(
                    of: producer, by: .interrupt, saying: "submit it again with the same key", shop)
                #expect(!producer.errorText.contains("producer status"))
                silent.close()
            }
        }

        @Test(
            "while it waits says that the order goes on, and it does",
            arguments: StopSignal.allCases, ["--wait", "--follow"])
        func waiting(signal: StopSignal, flag: String) async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try shop.write("order.yaml", echoes("one"))
                let producer = try shop.start("producer", "submit", "order.yaml", flag)
                try await eventually("the receipt") { producer.errorText.contains("accepted") ? true : nil }
                let order = try #require(try await shop.orders().first?["order"] as? String)
                try await expectEnd(
                    of: producer, by: signal,
                    saying: "the order goes on; watch it with: producer watch \(order)",
                    shop)
                try await shop.startWorkers("worker-1")
                #expect(try await shop.produce("watch", order).ending == .exit(0))
            }
        }

        @Test(
            "while it reads a slow pipe says that nothing was submitted",
            arguments: StopSignal.allCases, [["map", "--station", "echo"], ["submit", "-"]])
        func reading(signal: StopSignal, arguments: [String]) async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let input = try shop.fifo("slow")
                let producer = try shop.startProducer(arguments, from: input)
                input.write("items: []\n")
                try await eventually("a reader") { input.fill == 0 ? true : nil }
                try await expectEnd(of: producer, by: signal, saying: "nothing was submitted", shop)
                #expect(try await shop.orders().isEmpty)
            }
        }

        @Test(
            "while nobody reads its output ends all the same", arguments: StopSignal.allCases,
            ["--json", "--follow", "results", "map"])
        func blocked(signal: StopSignal, form: String) async throws {
            try await Shop.open { shop in
                let (producer, output) = try await blockedProducer(form, in: shop)
                try await expectEnd(of: producer, by: signal, saying: "interrupted", shop)
                #expect(output.fill > 30_000)
            }
        }

        @Test(
            "while nobody reads its errors either ends within a second, without a sentence; by a second signal at once"
        )
        func blockedErrors() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", ProducerStoppingTests.bulk)
                let once = try await timeToEnd(by: [SIGTERM], in: shop)
                let twice = try await timeToEnd(by: [SIGINT, SIGTERM], in: shop)
                print("with blocked outputs: gone \(once) after a signal, \(twice) after two")
                #expect(once >= .milliseconds(450), "what it is held up by holds it up")
                #expect(once < .seconds(1.5) * costFactor)
                #expect(twice < once / 2)
            }
        }

        /// Of a producer whose outputs are both full.
        private func timeToEnd(by signals: [Int32], in shop: Shop) async throws -> Duration {
            let output = try shop.fifo("unread-\(signals.count)")
            let producer = try shop.startProducer(
                ["submit", "order.yaml", "--follow", "--json"], to: output, errors: output)
            try await filled(output)
            output.fillUp()
            let start = ContinuousClock.now
            for signal in signals { producer.send(signal) }
            #expect(try await producer.end(within: .seconds(5)) == .exit(130))
            return ContinuousClock.now - start
        }

        @Test("twice says what became of the order once, however close the signals are")
        func twice() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try shop.write("order.yaml", echoes("one"))
                for round in 0..<20 {
                    let producer = try shop.start("producer", "submit", "order.yaml", "--wait")
                    try await eventually("the receipt", every: .milliseconds(2)) {
                        producer.errorText.contains("accepted") ? true : nil
                    }
                    producer.send(SIGINT)
                    usleep(UInt32(round) * 100)
                    try await expectEnd(
                        of: producer, by: round % 2 == 0 ? .interrupt : .terminate,
                        saying: "interrupted; ", shop)
                }
            }
        }

        @Test("by its time limit ends though nobody reads its output (124)")
        func limit() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write(
                    "order.yaml",
                    ProducerStoppingTests.bulk + "  - {station: grill, payload: {seconds: 30}}\n")
                let output = try shop.fifo("unread")
                let producer = try shop.startProducer(
                    ["submit", "order.yaml", "--follow", "--json", "--wait-limit", "2s"], to: output)
                #expect(try await producer.end(within: .seconds(10)) == .exit(124))
            }
        }

        @Test("by its time limit ends though nobody reads its errors either (124)")
        func limitOfBlockedErrors() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", ProducerStoppingTests.bulk)
                let output = try shop.fifo("unread")
                let producer = try shop.startProducer(
                    ["submit", "order.yaml", "--follow", "--json", "--wait-limit", "2s"], to: output,
                    errors: output)
                try await filled(output)
                output.fillUp()
                #expect(try await producer.end(within: .seconds(10)) == .exit(124))
            }
        }

        @Test("by a reader that has had enough ends with 130, and the order goes on")
        func readerGone() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", ProducerStoppingTests.bulk)
                let script =
                    #""$0" submit order.yaml --follow --json | head -n 1 > first; echo "${PIPESTATUS[0]}""#
                let shell = try shop.start(
                    "shell", at: URL(filePath: "/bin/bash"),
                    ["-c", script, Place.executables.appending(path: "producer").path])
                #expect(try await shop.finish(shell).line == "130")
                let order = try #require(try await shop.orders().first?["order"] as? String)
                #expect(try await shop.produce("watch", order).ending == .exit(0))
            }
        }

        @Test("and loses its reader at the same moment, as in a pipeline, says what became of its work")
        func interruptedPipeline() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", ProducerStoppingTests.bulk)
                let order = try await shop.produce("submit", "order.yaml", "--wait", "--json").report().order
                var saidCount = 0
                for round in 1...6 {
                    var output: Fifo? = try shop.fifo("pipeline-\(round)")
                    let producer = try shop.startProducer(["results", order], to: output)
                    if let output { try await filled(output) }
                    producer.send(SIGINT)
                    // For the signal to be handled, and less than a blocked write takes to look.
                    usleep(20_000)
                    output = nil
                    #expect(try await producer.end(within: .seconds(5)) == .exit(130))
                    if producer.errorText.contains("interrupted; ") { saidCount += 1 }
                }
                // Where the reader is gone before the signal is seen, there is nobody to tell.
                #expect(saidCount >= 4, "\(saidCount) of 6")
            }
        }

        @Test("is not told to stop by a reader that is slow: every byte comes")
        func slowReader() async throws {
            try await Shop.open { shop in
                let (producer, output) = try await blockedProducer("results", in: shop)
                var bytes: [UInt8] = []
                try await eventually("the end", every: .milliseconds(1)) {
                    bytes += output.read()
                    return producer.hasEnded
                }
                bytes += output.read()
                #expect(producer.hasEnded == .exit(0))
                #expect(bytes.count == 100 * 2_003, "text in quotes, and an end of line")
            }
        }

        // MARK: Helpers

        /// A producer whose output is full, in one of its forms.
        private func blockedProducer(_ form: String, in shop: Shop) async throws -> (Running, Fifo) {
            try await shop.startAssembler()
            try await shop.startWorkers("worker-1")
            try shop.write("order.yaml", ProducerStoppingTests.bulk)
            let output = try shop.fifo("unread")
            var arguments = ["submit", "order.yaml", "--wait", form]
            if form == "results" {
                let order = try await shop.produce("submit", "order.yaml", "--wait", "--json").report().order
                arguments = ["results", order]
            }
            // Lines for people are short.
            if form == "--follow" { arguments.append("--json") }
            if form == "map" { arguments = ["map", "--station", "echo", "order.yaml"] }
            let producer = try shop.startProducer(arguments, to: output)
            try await filled(output)
            return (producer, output)
        }

        /// A pipe has sixteen pages, and a line of 2 KB takes one.
        private func filled(_ output: Fifo) async throws {
            var last = 0
            try await eventually("a full pipe", every: .milliseconds(50)) {
                defer { last = output.fill }
                return last > 30_000 && output.fill == last ? true : nil
            }
        }

        /// One signal ends it within a second and a bit, with one sentence.
        private func expectEnd(
            of producer: Running, by signal: StopSignal, saying words: String, _ shop: Shop
        ) async throws {
            let start = ContinuousClock.now
            producer.send(signal.number)
            #expect(try await producer.end(within: .seconds(5)) == .exit(130))
            #expect(ContinuousClock.now - start < .seconds(1.5) * costFactor)
            let sentences = producer.errorText.split(separator: "\n").filter { $0.hasPrefix("producer: ") }
            #expect(sentences.count == 1, "\(producer.errorText)")
            #expect(sentences.first?.contains(words) == true, "\(producer.errorText)")
        }
    }
}
