import CZeroMQ
import Foundation
import Glibc
import Testing
import Wire

/// Somebody at one of the assembler's ports who does not speak its protocol.
struct Intruder: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What the log may call it: how far it gets in its handshake is a race at times.
    let messages: [String]
    let intrude: @Sendable (_ endpoint: String) throws -> Void

    static let all: [Intruder] = raw + wrongSockets + wrongFrames

    private static let failed = ["connection of a stranger"]
    private static let notUnderstood = ["message not understood"]

    // MARK: Bytes on a TCP connection

    private static let raw: [Intruder] = [
        Intruder(testDescription: "random bytes", messages: notUnderstood + failed) { endpoint in
            var generator = SystemRandomNumberGenerator()
            try shout((0..<300).map { _ in UInt8.random(in: 1...0xfe, using: &generator) }, at: endpoint)
        },
        Intruder(testDescription: "an HTTP request", messages: failed) { endpoint in
            try shout(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), at: endpoint)
        },
        Intruder(testDescription: "a connection that says nothing", messages: failed) { endpoint in
            try shout([], at: endpoint)
        },
        Intruder(testDescription: "half a greeting that stays", messages: failed) { endpoint in
            try shout([0xff, 0, 0, 0, 0], at: endpoint, staying: .seconds(6))
        },
        Intruder(testDescription: "a greeting of ZMTP 1.0", messages: notUnderstood + failed) { endpoint in
            try shout([0x01, 0x00] + Array("\u{5}hello".utf8), at: endpoint)
        },
        Intruder(testDescription: "a greeting of ZMTP 2.0", messages: notUnderstood + failed) { endpoint in
            // Signature, revision 1, a DEALER (5), an empty identity.
            try shout([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0x01, 0x05, 0x00, 0x00], at: endpoint)
        },
        Intruder(testDescription: "a truncated frame", messages: failed) { endpoint in
            try shout(greetingOfADealer + [0x00, 100] + Array("too short".utf8), at: endpoint)
        },
        Intruder(testDescription: "a frame of 5 MB", messages: failed) { endpoint in
            let head = [0x02] + withUnsafeBytes(of: UInt64(5_000_000).bigEndian) { Array($0) }
            try shout(greetingOfADealer + head + [UInt8](repeating: 0, count: 5_000_000), at: endpoint)
        },
        Intruder(testDescription: "a frame of 2^62 bytes", messages: failed) { endpoint in
            let head = [0x02] + withUnsafeBytes(of: (UInt64(1) << 62).bigEndian) { Array($0) }
            try shout(greetingOfADealer + head + [1, 2, 3], at: endpoint)
        },
    ]

    /// All that a DEALER says in ZMTP 3.0 before its first message, without a mechanism.
    private static let greetingOfADealer: [UInt8] = {
        let signature: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]
        let mechanism = Array("NULL".utf8) + [UInt8](repeating: 0, count: 16)
        let greeting = signature + [3, 0] + mechanism + [0] + [UInt8](repeating: 0, count: 31)
        let property = [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        let ready = [5] + Array("READY".utf8) + property
        return greeting + [0x04, UInt8(ready.count)] + ready
    }()

    private static func shout(
        _ bytes: [UInt8], at endpoint: String, staying stay: Duration = .milliseconds(100)
    ) throws {
        let port = try #require(UInt16(endpoint.split(separator: ":").last ?? ""))
        let descriptor = try Loopback.connect(port: port)
        defer { close(descriptor) }
        var rest = bytes[...]
        let end = ContinuousClock.now + .seconds(5)
        while !rest.isEmpty, ContinuousClock.now < end {
            let sent = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent > 0 { rest = rest.dropFirst(sent) }
            // The other side has had enough.
            guard sent > 0 || errno == EAGAIN else { return }
        }
        // Until it is thrown out, or has stayed long enough.
        let leaveAt = ContinuousClock.now + stay
        var buffer = [UInt8](repeating: 0, count: 1_024)
        while ContinuousClock.now < leaveAt, recv(descriptor, &buffer, buffer.count, 0) > 0 || errno == EAGAIN
        {
            usleep(5_000)
        }
    }

    // MARK: Sockets of ZeroMQ

    private static let wrongSockets: [Intruder] =
        [
            ("PUB", ZMQ_PUB, failed), ("SUB", ZMQ_SUB, failed),
            ("PUSH", ZMQ_PUSH, failed), ("PULL", ZMQ_PULL, failed),
            ("PAIR", ZMQ_PAIR, failed), ("STREAM", ZMQ_STREAM, failed),
            ("REQ", ZMQ_REQ, notUnderstood), ("ROUTER", ZMQ_ROUTER, failed),
            ("DEALER", ZMQ_DEALER, notUnderstood),
        ].map { name, type, messages in
            Intruder(testDescription: "a \(name) socket", messages: messages) { endpoint in
                try visit(endpoint, type: type)
            }
        } + [
            Intruder(testDescription: "a PLAIN client", messages: failed) { endpoint in
                try visit(endpoint, type: ZMQ_DEALER) { socket in
                    zmq_setsockopt(socket, ZMQ_PLAIN_USERNAME, "admin", 5)
                    zmq_setsockopt(socket, ZMQ_PLAIN_PASSWORD, "secret", 6)
                }
            },
            Intruder(testDescription: "a CURVE client", messages: failed) { endpoint in
                try visit(endpoint, type: ZMQ_DEALER) { socket in
                    var (open, secret) = ([CChar](repeating: 0, count: 41), [CChar](repeating: 0, count: 41))
                    zmq_curve_keypair(&open, &secret)
                    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, open, 41)
                    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, open, 41)
                    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, 41)
                }
            },
        ]

    private static let wrongFrames: [Intruder] = [
        Intruder(testDescription: "a message of 5,000 tiny frames", messages: notUnderstood) {
            endpoint in
            try visit(endpoint, type: ZMQ_DEALER, frames: Array(repeating: [1], count: 5_000))
        },
        Intruder(testDescription: "a message of another protocol", messages: notUnderstood) {
            endpoint in
            try visit(endpoint, type: ZMQ_DEALER, frames: [Array("MDPC01".utf8), Array("echo".utf8)])
        },
        Intruder(testDescription: "a body that is no protobuf", messages: notUnderstood) {
            endpoint in
            try visit(endpoint, type: ZMQ_DEALER, frames: [Array("TRAY/1".utf8), [0xff, 0xff, 0xff]])
        },
    ]

    /// Connects for 300 ms, in which libzmq tries again and again, and sends where the socket can.
    private static func visit(
        _ endpoint: String, type: Int32, frames: [[UInt8]] = [Array("hello".utf8)],
        _ prepare: (UnsafeMutableRawPointer) -> Void = { _ in }
    ) throws {
        let context = try #require(zmq_ctx_new())
        defer { zmq_ctx_term(context) }
        let socket = try #require(zmq_socket(context, type))
        defer { zmq_close(socket) }
        var linger: Int32 = 0
        zmq_setsockopt(socket, ZMQ_LINGER, &linger, MemoryLayout<Int32>.size)
        prepare(socket)
        try #require(zmq_connect(socket, endpoint) == 0)
        if [ZMQ_DEALER, ZMQ_REQ, ZMQ_PUSH, ZMQ_PAIR].contains(type) {
            for (index, frame) in frames.enumerated() {
                let more = index < frames.count - 1 ? ZMQ_SNDMORE : 0
                guard zmq_send(socket, frame, frame.count, ZMQ_DONTWAIT | more) >= 0 else { break }
            }
        }
        usleep(300_000)
    }
}

extension EndToEnd {
    @Suite("An intruder")
    struct IntruderTests {
        /// The ports that take connections.
        private static let ports = ["TRAY_ORDERS", "TRAY_KITCHEN", "TRAY_EVENTS"]

        @Test("is survived on each port and logged once, and nobody else notices", arguments: ports)
        func intruders(port: String) async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                let endpoint = try #require(shop.environment[port])
                let going = try shop.start(
                    "producer", "submit", "-", "--wait", "--json", "--max-parallel", "1",
                    input: naps(seconds: 0.1, count: 50))
                for intruder in Intruder.all { try intruder.intrude(endpoint) }
                let served = try await shop.finish(going)
                #expect(try served.report().items.allSatisfy { $0.status == "done" && $0.attempts == 1 })
                #expect(assembler.hasEnded == nil)
                #expect(try await shop.ping() == true)
                let counters = try await shop.counters()
                #expect(
                    counters["failed_handshakes", default: 0] + counters["malformed_messages", default: 0]
                        > 10)
                let lines = intrusions(in: assembler.errorText)
                // One of a kind is told of once in ten seconds, however many come.
                #expect((1...20).contains(lines.count), "\(lines.joined(separator: "\n"))")
            }
        }

        @Test(
            "is named in the log by its host and by what it did, once for all its attempts",
            arguments: Intruder.all)
        func line(intruder: Intruder) async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try intruder.intrude(try #require(shop.environment["TRAY_KITCHEN"]))
                let lines = try await eventually("a line in the log") {
                    let lines = intrusions(in: assembler.errorText)
                    return lines.isEmpty ? nil : lines
                }
                // One whose host is gone before it could be asked for is another than one with a host.
                #expect((1...2).contains(lines.count), "\(lines)")
                #expect(
                    lines.allSatisfy { line in
                        line.contains("endpoint=kitchen") && intruder.messages.contains { line.contains($0) }
                    }, "\(lines)")
                #expect(lines.allSatisfy { $0.contains("host=127.0.0.1") || $0.contains("host=unknown") })
            }
        }

        @Test("in a crowd floods neither the log nor the assembler")
        func crowd() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                let kitchen = try #require(shop.environment["TRAY_KITCHEN"])
                let port = try #require(UInt16(kitchen.split(separator: ":").last ?? ""))
                let start = ContinuousClock.now
                for index in 0..<3_000 {
                    let descriptor = try Loopback.connect(port: port)
                    let bytes = index % 2 == 0 ? Array("GET / HTTP/1.1\r\n\r\n".utf8) : [0xff, 0, 0]
                    _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                    close(descriptor)
                }
                #expect(try await shop.ping() == true)
                // They are of one host, or of none that is still known: a line each, and the sums of every ten seconds.
                let seconds = Int((ContinuousClock.now - start) / .seconds(1))
                #expect(intrusions(in: assembler.errorText).count <= 6 + 2 * (seconds / 10))
                try await eventually("closed connections") {
                    try ProcessFigures(of: assembler.pid).descriptorCount < 100 ? true : nil
                }
                // How many more there were is said, too.
                try await eventually("the sum", within: .seconds(30)) {
                    assembler.errorText.contains("again") ? true : nil
                }
            }
        }

        @Test(
            "in a crowd takes all descriptors: those who were there work on, the log says why no others can"
        )
        func descriptors() async throws {
            try await Shop.open { shop in
                let assembler = try shop.start(
                    "assembler", at: URL(filePath: "/bin/sh"),
                    ["-c", #"ulimit -n 100; exec "$0""#, Place.executables.appending(path: "assembler").path])
                try await shop.waitForAssembler(assembler)
                try await shop.startWorkers("worker-1")
                let waiting = try shop.start(
                    "producer", "submit", "-", "--wait", input: naps(seconds: 3, count: 1))
                try await eventually("the receipt") { waiting.errorText.contains("accepted") ? true : nil }
                let kitchen = try #require(shop.environment["TRAY_KITCHEN"])
                let port = try #require(UInt16(kitchen.split(separator: ":").last ?? ""))
                let start = ContinuousClock.now
                let crowd = try (0..<150).map { _ in try Loopback.connect(port: port) }
                try await eventually("a line in the log") {
                    assembler.errorText.contains("connections cannot be taken") ? true : nil
                }
                let ending = try await waiting.end()
                #expect(ending == .exit(0), "\(ending): \(waiting.errorText)\n\(assembler.errorText)")
                // Long enough for the next look.
                try await Task.sleep(for: .seconds(2))
                crowd.forEach { close($0) }
                #expect(try await shop.ping() == true)
                try await shop.startWorkers("worker-2")
                let lines = assembler.errorText.split(separator: "\n")
                // In every ten seconds one when it comes, and one that says how often it came again.
                let seconds = Int((ContinuousClock.now - start) / .seconds(1))
                #expect(lines.count { $0.contains("connections cannot be taken") } <= 2 * (1 + seconds / 10))
                // It is looked at once a second: whoever heard of every attempt would have time for nothing else.
                try await eventually("the sum", within: .seconds(30)) {
                    assembler.errorText.contains("cannot be taken, again") ? true : nil
                }
                let sums = assembler.errorText.split(separator: "\n").compactMap { line in
                    line.firstMatch(of: #/count=(\d+) .*cannot be taken, again/#).flatMap { Int($0.1) }
                }
                #expect(!sums.isEmpty && sums.allSatisfy { $0 <= 11 }, "\(sums)")
            }
        }

        private func intrusions(in log: String) -> [String] {
            let words = [
                "connection of a stranger", "message not understood", "more strangers",
            ]
            return log.split(separator: "\n").map(String.init).filter { line in
                words.contains { line.contains($0) }
            }
        }
    }
}
