import Foundation
import Testing
import ZeroMQ

/// A client in miniature: records what its link brings.
private actor Client {
    nonisolated let thread = PollingThread(name: "client")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private var link: Link
    private(set) var events: [Link.Event] = []
    private(set) var roundCount = 0

    /// - Parameter context: nil for one that the link alone holds.
    init(_ endpoint: String, context: Context? = nil, maxMessageBytes: Int = 1 << 20) throws {
        link = Link(
            context: try context ?? Context(), endpoint: endpoint, thread: thread,
            maxMessageBytes: maxMessageBytes, seed: 1)
    }

    func start() {
        thread.onRound { [weak self] in self?.assumeIsolated { $0.round() } }
    }

    private func round() -> ContinuousClock.Instant? {
        roundCount += 1
        while let event = link.next(now: .now) { events.append(event) }
        return link.nextDeadline
    }

    func send(_ frames: [[UInt8]]) -> Socket.SendOutcome { link.send(frames) }
    func reset() { link.reset(now: .now) }
    /// In one turn, so that no new connection comes between.
    func resetAndSend(_ frames: [[UInt8]]) -> Socket.SendOutcome {
        reset()
        return send(frames)
    }
    func close() { link.close() }
    func stopListening() { thread.endRounds() }

    /// The events so far, once there are `count`.
    nonisolated func events(_ count: Int) async throws -> [Link.Event] {
        try await eventually { await events.count >= count }
        return await events
    }
}

@Suite("Links", .timeLimit(.minutes(1)))
struct LinkTests {
    @Test("a link that starts before its server opens when the server comes")
    func clientFirst() async throws {
        let endpoint = try freeEndpoint()
        let client = try Client(endpoint)
        await client.start()
        try await eventually { await client.roundCount >= 5 }
        #expect(await client.send([[1]]).isUnreachable)
        #expect(await client.events.isEmpty, "a refusal is no event")

        let echo = Echo()
        _ = try await echo.start(try Context(), at: endpoint)

        #expect(try await client.events(1) == [.opened])
        expectSent(await client.send([[1], [2]]))
        #expect(try await client.events(2) == [.opened, .message([[1], [2]])])
    }

    @Test(
        "a server that stops closes the link, and opens a fresh one when it is back (FM-52, FM-56)",
        arguments: ["tcp", "ipc"])
    func restart(transport: String) async throws {
        let path = "/tmp/zeromq-link-\(getpid()).sock"
        defer { unlink(path) }
        let context = try Context()
        let first = Echo()
        let endpoint = try await first.start(
            context, at: transport == "tcp" ? "tcp://127.0.0.1:*" : "ipc://\(path)")
        let client = try Client(endpoint)
        await client.start()
        #expect(try await client.events(1) == [.opened])

        await first.stop()
        #expect(try await client.events(2) == [.opened, .closed])
        #expect(await client.send([[9]]).isUnreachable, "nothing waits for the next connection")

        let second = Echo()
        try await eventually { (try? await second.start(context, at: endpoint)) != nil }
        #expect(try await client.events(3) == [.opened, .closed, .opened])
        expectSent(await client.send([[3]]))
        #expect(try await client.events(4).last == .message([[3]]))
        #expect(await second.receivedCount == 1)
    }

    @Test("what arrived before the connection was lost is handed out before its end")
    func messagesBeforeEnd() async throws {
        let count = 500
        let (endpoint, _) = try await serve { socket in
            let hello = try #require(try waitForMessage(at: socket))
            for index in 0..<count {
                expectSent(socket.send([hello.frames[0], [UInt8(index % 256)]]))
            }
            try socket.set(.linger, 5_000)
        }
        let client = try Client(endpoint)
        await client.start()
        _ = try await client.events(1)
        expectSent(await client.send([[1]]))
        let events = try await client.events(count + 2)
        #expect(events.count == count + 2)
        #expect(events.first == .opened)
        #expect(events.last == .closed)
    }

    @Test("a reset link opens again without an event of its end")
    func reset() async throws {
        let echo = Echo()
        let client = try Client(try await echo.start(try Context()))
        await client.start()
        _ = try await client.events(1)
        #expect(await client.resetAndSend([[1]]).isUnreachable)
        client.thread.wake()
        #expect(try await client.events(2) == [.opened, .opened])
    }

    @Test("what was sent before close arrives, though the process could leave at once")
    func closeFlushes() async throws {
        let echo = Echo()
        let client = try Client(try await echo.start(try Context()))
        await client.start()
        _ = try await client.events(1)
        for _ in 0..<500 { expectSent(await client.send([[UInt8](repeating: 1, count: 1_000)])) }
        await client.close()
        try await eventually { await echo.receivedCount == 500 }
    }

    @Test("close is bounded when the other side takes nothing (FM-55)")
    func boundedClose() async throws {
        let (endpoint, silent) = try await serve { socket in
            _ = try waitForMessage(at: socket)
            // Not reading, until long after the client has given up.
            usleep(1_500_000)
        }
        let client = try Client(endpoint)
        await client.start()
        _ = try await client.events(1)
        await client.stopListening()
        let large = [UInt8](repeating: 1, count: 100_000)
        for _ in 0..<5_000 where await !client.send([large]).isSent { break }

        let start = ContinuousClock.now
        await client.close()
        #expect(ContinuousClock.now - start < .milliseconds(1_000))
        for try await _ in silent {}
    }

    @Test("a host name that is unknown is a failed attempt, again and again")
    func unknownHost() async throws {
        let client = try Client("tcp://no-such-host.invalid:5570")
        await client.start()
        try await eventually { await client.roundCount >= 5 }
        #expect(await client.events.isEmpty)
    }

    @Test("a host name may stand for an IPv4 or an IPv6 address")
    func hostName() async throws {
        let echo = Echo()
        let bound = try await echo.start(try Context())
        let client = try Client(bound.replacing("127.0.0.1", with: "localhost"))
        await client.start()
        #expect(try await client.events(1) == [.opened])
    }

    @Test("a message above the limit ends the connection")
    func tooLarge() async throws {
        let echo = Echo()
        let endpoint = try await echo.start(try Context(), answer: [UInt8](repeating: 0, count: 2_000))
        let client = try Client(endpoint, maxMessageBytes: 1_000)
        await client.start()
        _ = try await client.events(1)
        expectSent(await client.send([[1]]))
        #expect(try await client.events(3).prefix(3) == [.opened, .closed, .opened])
    }

    @Test("a server of another protocol never opens a link, and does not keep it from trying again")
    func otherProtocol() async throws {
        let listener = try RawListener()
        let client = try Client(listener.endpoint)
        await client.start()
        // The first connection is answered with nothing, the second with nonsense.
        listener.accept()
        listener.accept(answering: "SSH-2.0-Other\r\n")
        listener.accept(answering: "HTTP/1.1 400 Bad Request\r\n\r\n")
        #expect(await client.events.isEmpty)
    }

    /// An endpoint where nobody listens.
    private func freeEndpoint() throws -> String {
        let socket = try Socket(try Context(), .router)
        try socket.bind("tcp://127.0.0.1:*")
        return try socket.boundEndpoint
    }

    /// Runs `body` with a bound router in a thread of its own, which closes the router at its end.
    private func serve(
        _ body: @escaping @Sendable (borrowing Socket) throws -> Void
    ) async throws -> (endpoint: String, end: AsyncThrowingStream<String, any Error>) {
        let (steps, step) = AsyncThrowingStream.makeStream(of: String.self)
        Thread {
            do {
                let socket = try Socket(try Context(), .router)
                try socket.bind("tcp://127.0.0.1:*")
                step.yield(try socket.boundEndpoint)
                try body(socket)
                step.finish()
            } catch {
                step.finish(throwing: error)
            }
        }.start()
        for try await endpoint in steps { return (endpoint, steps) }
        throw TookTooLong()
    }
}
