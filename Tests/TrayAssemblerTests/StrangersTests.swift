import Foundation
import Glibc
import Logging
import Testing
import Wire
import ZeroMQ

@testable import TrayAssembler

/// An assembler on free ports with a store of its own.
private struct OpenAssembler {
    let service: AssemblerService
    let orders: String
    let kitchen: String
    let events: String
    private let folder: URL

    init() async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("tray-\(UUID().uuidString)")
        var options = AssemblerService.Options()
        options.orders = "tcp://127.0.0.1:*"
        options.kitchen = "tcp://127.0.0.1:*"
        options.events = "tcp://127.0.0.1:*"
        options.store = folder.appendingPathComponent("tray.sqlite").path
        options.diskReserveBytes = 0
        service = AssemblerService(options, log: Logger(label: "assembler") { _ in SwiftLogNoOpLogHandler() })
        let addresses = try await service.start()
        (orders, kitchen, events) = (addresses.orders, addresses.kitchen, addresses.events)
    }

    func close() async throws {
        await service.stop()
        try await service.waitForEnd()
        try FileManager.default.removeItem(at: folder)
    }
}

/// What a DEALER of the test says, and hears. Sockets stay on the thread that makes them: no waiting in
/// between.
private func ask(_ endpoint: String, _ messages: [[[UInt8]]], answerCount: Int) throws -> [[[UInt8]]] {
    let socket = try Socket(try Context(), .dealer)
    try socket.set(.linger, 1_000)
    try socket.connect(endpoint)
    for message in messages {
        guard case .sent = socket.send(message) else { throw POSIXError(.EAGAIN) }
    }
    var answers: [[[UInt8]]] = []
    let end = ContinuousClock.now + .seconds(10)
    while answers.count < answerCount, ContinuousClock.now < end {
        if let received = try socket.receive() { answers.append(received.frames) } else { usleep(1_000) }
    }
    return answers
}

/// Bytes on a bare TCP connection, to a port that speaks ZeroMQ.
private func shout(_ bytes: [UInt8], at endpoint: String) throws {
    let port = try #require(UInt16(endpoint.split(separator: ":").last ?? ""))
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let code = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    #expect(code == 0)
    _ = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
}

private func refusal(_ frames: [[UInt8]], at door: String) throws -> Refusal {
    door == "orders"
        ? try Frames.decode(frames, as: OrdersMessage.self).refusal
        : try Frames.decode(frames, as: KitchenMessage.self).refusal
}

@Suite("Strangers at the doors")
struct StrangersTests {
    private static let hello = Frames.encode(
        ProducerMessage.with {
            $0.request = 1
            $0.hello.versions = Frames.versions
        })

    @Test("frames that are no messages are answered with what is wrong", arguments: ["orders", "kitchen"])
    func malformed(door: String) async throws {
        let assembler = try await OpenAssembler()
        let endpoint = door == "orders" ? assembler.orders : assembler.kitchen
        let wrong: [([[UInt8]], String)] = [
            ([[1, 2, 3]], "2 frames"),
            ([Array("TRAY/1".utf8), [], []], "2 frames"),
            ([Array("HTTP/1.1".utf8), [1]], "HTTP/1.1"),
            ([Array("TRAY/1".utf8), [0xff, 0xff, 0xff]], "protobuf"),
        ]
        let answers = try ask(endpoint, wrong.map(\.0), answerCount: wrong.count)
        #expect(answers.count == wrong.count)
        for (answer, (_, words)) in zip(answers, wrong) {
            let refusal = try refusal(answer, at: door)
            #expect(refusal.reason == .malformed)
            #expect(refusal.message.contains(words), "\(refusal.message)")
        }
        try await assembler.close()
    }

    @Test("who has not said hello is told so, and nothing else happens")
    func noHello() async throws {
        let assembler = try await OpenAssembler()
        let ping = Frames.encode(
            ProducerMessage.with {
                $0.request = 7
                $0.ping = Ping()
            })
        let answers = try ask(assembler.orders, [ping], answerCount: 1)
        let message = try Frames.decode(try #require(answers.first), as: OrdersMessage.self)
        #expect(message.request == 7)
        #expect(message.refusal.reason == .session)
        try await assembler.close()
    }

    @Test("HTTP, random bytes and half a greeting do not disturb those who speak the protocol")
    func noise() async throws {
        let assembler = try await OpenAssembler()
        for endpoint in [assembler.orders, assembler.kitchen, assembler.events] {
            try shout(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), at: endpoint)
            try shout([0xff, 0, 0, 0], at: endpoint)
            for seed in 0..<50 as Range<UInt8> {
                try shout((0..<200).map { UInt8(truncatingIfNeeded: Int($0) * 31) ^ seed }, at: endpoint)
            }
        }
        let answers = try ask(assembler.orders, [StrangersTests.hello], answerCount: 1)
        let message = try Frames.decode(try #require(answers.first), as: OrdersMessage.self)
        #expect(message.welcome.version == 1)
        try await assembler.close()
    }

    @Test("numbers at the ends of their ranges are taken or refused, and nobody falls over")
    func extremes() async throws {
        let assembler = try await OpenAssembler()
        var submit = Submit.with {
            $0.order = OrderID(high: .max, low: .max).data
            $0.itemCount = 1
            $0.fingerprint = Data(repeating: 1, count: 32)
            $0.items = [
                Item.with {
                    $0.station = "grill"
                    $0.timeoutMs = .max
                    $0.attemptsMax = 1_000
                }
            ]
            $0.spec.deadlineMs = .max
            $0.spec.notBeforeMs = .max
            $0.spec.tolerated = .max
            $0.spec.failure = .tolerateCount
            $0.spec.maxParallel = .max
        }
        let first = ProducerMessage.with {
            $0.request = .max
            $0.submit = submit
        }
        submit.order = OrderID(high: 0, low: 0).data
        submit.spec.notBeforeMs = 0
        let second = ProducerMessage.with {
            $0.request = 2
            $0.submit = submit
        }
        let watch = ProducerMessage.with {
            $0.request = 3
            $0.watch.order = submit.order
            $0.watch.afterLanding = .max
            $0.watch.outcomeCountMax = .max
        }
        let tray = ProducerMessage.with {
            $0.request = 4
            $0.tray.order = submit.order
            $0.tray.firstIndex = .max
            $0.tray.itemCountMax = .max
        }
        let messages = [first, second, watch, tray].map { Frames.encode($0) }
        let answers = try ask(assembler.orders, [StrangersTests.hello] + messages, answerCount: 5)
        let bodies = try answers.map { try Frames.decode($0, as: OrdersMessage.self) }
        #expect(bodies.map(\.request) == [1, .max, 2, 3, 4])
        #expect(bodies.filter { $0.refusal.reason != .unspecified }.isEmpty)

        let hello = WorkerMessage.with {
            $0.hello.versions = Frames.versions
            $0.hello.name = "extreme"
            $0.hello.instance = Data(repeating: 1, count: 16)
            $0.hello.stations = [
                .with {
                    $0.station = "grill"
                    $0.capacity = 65_536
                }
            ]
        }
        let result = WorkerMessage.with {
            $0.session = 1
            $0.results.results = [
                .with {
                    $0.lease = LeaseID(incarnation: 1, number: 1)
                    $0.order = submit.order
                    $0.index = .max
                    $0.elapsedUs = .max
                    $0.done = Content()
                }
            ]
        }
        let fromKitchen = try ask(
            assembler.kitchen, [Frames.encode(hello), Frames.encode(result)], answerCount: 3)
        #expect(fromKitchen.count == 3)
        try await assembler.close()
    }
}
