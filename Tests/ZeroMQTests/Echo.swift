import ZeroMQ

/// A shell in miniature: sends back what its router receives, at most 100 messages a round.
actor Echo {
    nonisolated let thread = PollingThread(name: "echo")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private var router: Socket?
    private var answer: [UInt8]?
    private(set) var roundCount = 0
    private(set) var jobCount = 0
    private(set) var receivedCount = 0

    /// - Parameter answer: sent back in place of what was received.
    func start(
        _ context: Context, at endpoint: String = "tcp://127.0.0.1:*", answer: [UInt8]? = nil
    ) throws -> String {
        let socket = try Socket(context, .router)
        try socket.bind(endpoint)
        thread.watch(socket)
        let bound = try socket.boundEndpoint
        router = consume socket
        self.answer = answer
        thread.onRound { [weak self] in self?.assumeIsolated { $0.round() } }
        return bound
    }

    func stop() {
        router = nil
        thread.endRounds()
    }

    func count() { jobCount += 1 }

    private func round() -> ContinuousClock.Instant? {
        roundCount += 1
        for _ in 0..<100 where !echoOne() { break }
        return nil
    }

    private func echoOne() -> Bool {
        switch router {
        case .some(let router):
            guard let received = try? router.receive() else { return false }
            receivedCount += 1
            let frames = answer.map { [received.frames[0], $0] } ?? received.frames
            _ = router.send(frames)
            return true
        case .none:
            return false
        }
    }
}
