import Foundation
import Testing
import ZeroMQ

@Suite("What a router's peers do to it", .timeLimit(.minutes(1)))
struct PeerTests {
    @Test("a message names the descriptor that the monitor reports when its peer goes away")
    func descriptor() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        let monitor = try router.monitor()
        try router.bind("tcp://127.0.0.1:*")
        let stays = try Socket(context, .dealer)
        try stays.connect(try router.boundEndpoint)
        expectSent(stays.send([[1]]))
        let staying = try #require(try waitForMessage(at: router)?.sourceDescriptor)
        let goes = try Socket(context, .dealer)
        try goes.connect(try router.boundEndpoint)
        expectSent(goes.send([[2], [3]]))
        let going = try #require(try waitForMessage(at: router))
        goes.close()

        let event = try waitForEvent(at: monitor) { $0.kind == .disconnected }
        #expect(event?.descriptor == going.sourceDescriptor)
        #expect(event?.descriptor != staying)
        try waitUntil { router.send([going.frames[0], [1]]).isUnreachable }
    }

    @Test("a killed process's connection is reported, after its last message")
    func killed() throws {
        let router = try Socket(try Context(), .router)
        let monitor = try router.monitor()
        try router.bind("tcp://127.0.0.1:*")
        let port = try #require(try router.boundEndpoint.split(separator: ":").last)
        // ZMTP 3.0 with the NULL mechanism, spoken by a shell: greeting, READY; once the other side's READY
        // has begun to come, one message.
        let greeting = #"\377\0\0\0\0\0\0\0\1\177\3\0NULL"# + String(repeating: #"\0"#, count: 48)
        let ready = #"\4\51\5READY\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0\0"#
        let script = """
            exec 3<>/dev/tcp/127.0.0.1/\(port)
            printf '\(greeting)\(ready)' >&3
            head -c 66 <&3 >/dev/null
            printf '\\0\\2hi' >&3
            exec sleep 60
            """
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", script]
        try process.run()
        let received = try #require(try waitForMessage(at: router))
        #expect(received.frames.last == Array("hi".utf8))

        kill(process.processIdentifier, SIGKILL)

        let event = try waitForEvent(at: monitor) { $0.kind == .disconnected }
        #expect(event?.descriptor == received.sourceDescriptor)
        process.waitUntilExit()
    }

    @Test(
        "bytes of another protocol cost their own connection only (FM-53)",
        arguments: [
            "GET / HTTP/1.1\r\nHost: tray\r\n\r\n", "\u{1}\u{0}\u{7f}\u{3}garbage\n", "SSH-2.0-Other\r\n", "",
        ])
    func otherProtocol(text: String) throws {
        let context = try Context()
        let router = try Socket(context, .router)
        try router.bind("tcp://127.0.0.1:*")
        let endpoint = try router.boundEndpoint
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        for round in 0..<20 {
            let stranger = try RawConnection(to: endpoint)
            stranger.write(text)
            expectSent(dealer.send([[UInt8(round)]]))
            #expect(try waitForMessage(at: router)?.frames.last == [UInt8(round)])
        }
    }

    @Test("a message above the limit costs its sender the connection, and nobody else")
    func tooLarge() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        try router.set(.maxMessageBytes, 1_000)
        let monitor = try router.monitor()
        try router.bind("tcp://127.0.0.1:*")
        let endpoint = try router.boundEndpoint
        let modest = try Socket(context, .dealer)
        try modest.connect(endpoint)
        let greedy = try Socket(context, .dealer)
        try greedy.connect(endpoint)
        expectSent(greedy.send([[1]]))
        let descriptor = try #require(try waitForMessage(at: router)?.sourceDescriptor)

        expectSent(greedy.send([[UInt8](repeating: 0, count: 1_001)]))

        #expect(try waitForEvent(at: monitor) { $0.kind == .disconnected }?.descriptor == descriptor)
        expectSent(modest.send([[UInt8](repeating: 2, count: 1_000)]))
        #expect(try waitForMessage(at: router)?.frames.last?.count == 1_000)
    }

    @Test("a monitor may be closed before its socket, and nothing stalls")
    func monitorClosedFirst() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        let monitor = try router.monitor()
        try router.bind("tcp://127.0.0.1:*")
        monitor.close()
        let again = try router.monitor()
        let dealer = try Socket(context, .dealer)
        try dealer.connect(try router.boundEndpoint)
        expectSent(dealer.send([[1]]))
        #expect(try waitForMessage(at: router) != nil)
        #expect(try waitForEvent(at: again) { $0.kind == .handshakeSucceeded } != nil)
    }

    @Test("a monitor that nobody reads stalls nothing: 1,200 connections come and go")
    func unreadMonitor() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        let monitor = try router.monitor()
        try router.bind("tcp://127.0.0.1:*")
        let endpoint = try router.boundEndpoint
        for _ in 0..<1_200 { _ = try RawConnection(to: endpoint) }
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        expectSent(dealer.send([[1]]))
        #expect(try waitForMessage(at: router) != nil)
        var acceptedCount = 0
        try waitUntil {
            while let event = try monitor.next() { acceptedCount += event.kind == .accepted ? 1 : 0 }
            return acceptedCount >= 1_201
        }
    }
}
