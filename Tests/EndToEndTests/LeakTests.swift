import Foundation
import Testing
import Wire
import ZeroMQ

extension EndToEnd {
    @Suite("Ten thousand reconnects")
    struct LeakTests {
        private static let warmUpCount = 1_000
        private static let count = 10_000

        @Test(
            "of workers leave nothing behind in the assembler: no memory, descriptor, thread or session (FM-44)"
        )
        func workers() async throws {
            try await open { shop in
                let assembler = try await shop.startAssembler()
                let kitchen = try #require(shop.environment["TRAY_KITCHEN"])
                let hello = WorkerMessage.with {
                    $0.hello.versions = Frames.versions
                    $0.hello.name = "restless"
                    $0.hello.stations = [.with { ($0.station, $0.capacity) = ("grill", 10) }]
                }
                try await expectNoLeak(in: assembler, of: "workers", shop) { index in
                    var message = hello
                    // Every second one comes back as itself; the others are new each time.
                    message.hello.instance = index % 2 == 0 ? Data(repeating: 7, count: 16) : randomInstance()
                    try visit(kitchen, saying: [Frames.encode(message)], waits: index % 3 != 1)
                }
                #expect(try await shop.workers().isEmpty)
            }
        }

        @Test("of producers leave nothing behind in the assembler, with questions unanswered or not (FM-44)")
        func producers() async throws {
            try await open { shop in
                let assembler = try await shop.startAssembler()
                let orders = try #require(shop.environment["TRAY_ORDERS"])
                let hello = ProducerMessage.with {
                    $0.request = 1
                    $0.hello.versions = Frames.versions
                }
                // Nobody serves it: who watches it gets no answer.
                let submitted = try await shop.produce("submit", "-", input: echoes("one"))
                let order = try #require(OrderID(submitted.line))
                let question = ProducerMessage.with {
                    $0.request = 2
                    $0.watch.order = order.data
                    ($0.watch.outcomeCountMax, $0.watch.wait) = (1, true)
                }
                let messages = [Frames.encode(hello), Frames.encode(question)]
                try await expectNoLeak(in: assembler, of: "producers", shop) { index in
                    try visit(
                        orders, saying: index % 2 == 0 ? messages : [messages[0]], waits: index % 3 != 1)
                }
            }
        }

        @Test(
            "connections of hosts that have gone do not stay: the system asks after them",
            arguments: ["TRAY_ORDERS", "TRAY_KITCHEN"])
        func keepAlive(variable: String) async throws {
            try await open { shop in
                try await shop.startAssembler()
                let endpoint = try #require(shop.environment[variable])
                let port = try #require(UInt16(endpoint.split(separator: ":").last ?? ""))
                let client = try Loopback.connect(port: port)
                defer { close(client) }
                // Lines of the kernel's table: own address, other address, state, queues, timer; 02 is this one's.
                let own = "0100007F:" + String(format: "%04X", port)
                try await eventually("a timer of keepalive") {
                    let file = try #require(FileHandle(forReadingAtPath: "/proc/net/tcp"))
                    let table = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
                    let lines = table.split(separator: "\n").map { $0.split(separator: " ") }
                    return lines.contains { $0[1] == own && $0[3] == "01" && $0[5].hasPrefix("02:") }
                        ? true : nil
                }
            }
        }

        /// One connection: says something, waits for the first answer or not, and is gone.
        private func visit(_ endpoint: String, saying messages: [[[UInt8]]], waits: Bool) throws {
            let socket = try Socket(LeakTests.context, .dealer)
            // What was said arrives, though nobody waits.
            try socket.set(.linger, 1_000)
            try socket.connect(endpoint)
            for frames in messages { try #require(socket.send(frames) == .sent) }
            let end = ContinuousClock.now + .seconds(5)
            while waits, try socket.receive() == nil {
                try #require(ContinuousClock.now < end, "no answer")
                usleep(50)
            }
        }

        private static let context: Context = {
            do { return try Context() } catch { preconditionFailure("no context: \(error)") }
        }()

        /// A shop whose assembler gives back what it frees: AddressSanitizer would keep 256 MiB of it.
        private func open(_ body: (Shop) async throws -> Void) async throws {
            try await Shop.open { shop in
                shop.environment["ASAN_OPTIONS"]?
                    .append(" quarantine_size_mb=1 thread_local_quarantine_size_kb=64")
                try await body(shop)
            }
        }

        private func expectNoLeak(
            in assembler: Running, of whom: String, _ shop: Shop, _ visit: (Int) throws -> Void
        ) async throws {
            for index in 0..<LeakTests.warmUpCount { try visit(index) }
            let before = try await settled(assembler, shop)
            for index in 0..<LeakTests.count { try visit(index) }
            let after = try await settled(assembler, shop)
            print("\(LeakTests.count) reconnects of \(whom): \(before) before, \(after) after")
            #expect(after.residentKiB - before.residentKiB < 4_096 * costFactor)
            #expect(after.descriptorCount <= before.descriptorCount)
            #expect(after.threadCount <= before.threadCount)
        }

        /// The figures once nobody is there any more.
        private func settled(_ assembler: Running, _ shop: Shop) async throws -> ProcessFigures {
            try await shop.waitForWorkers(count: 0)
            var last = try ProcessFigures(of: assembler.pid)
            return try await eventually("figures that stand still", every: .milliseconds(200)) {
                let now = try ProcessFigures(of: assembler.pid)
                defer { last = now }
                return now == last ? now : nil
            }
        }

        private func randomInstance() -> Data { Data((0..<16).map { _ in UInt8.random(in: 0...255) }) }
    }
}

extension Socket.SendOutcome {
    static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.sent, .sent), (.full, .full), (.unreachable, .unreachable): true
        default: false
        }
    }
}

/// What a process holds, from `/proc`.
struct ProcessFigures: Equatable, CustomStringConvertible {
    let residentKiB: Int
    let descriptorCount: Int
    let threadCount: Int

    init(of pid: pid_t) throws {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        func number(_ key: String) throws -> Int {
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("\(key):") })
            return try #require(
                line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
        }
        residentKiB = try number("VmRSS")
        threadCount = try number("Threads")
        descriptorCount = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }

    var description: String {
        "\(residentKiB) KiB, \(descriptorCount) descriptors, \(threadCount) threads"
    }
}
