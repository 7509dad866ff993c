import Foundation
import Synchronization
import Testing
import ZeroMQ

/// A shell in miniature: echoes what its router receives.
private actor Echo {
    nonisolated let thread = PollingThread(name: "echo")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let router: Socket
    private(set) var roundCount = 0
    private(set) var jobCount = 0

    init(_ context: Context) throws {
        router = try Socket(context, .router)
    }

    func start() throws -> String {
        thread.watch(router)
        try router.bind("tcp://127.0.0.1:*")
        thread.onRound { [weak self] in self?.assumeIsolated { $0.round() } }
        return try router.boundEndpoint
    }

    private func round() -> ContinuousClock.Instant? {
        roundCount += 1
        for _ in 0..<100 {
            guard let received = try? router.receive() else { break }
            _ = router.send(received.frames)
        }
        return nil
    }

    func count() { jobCount += 1 }
}

@Suite("The polling thread")
struct PollingThreadTests {
    @Test("an actor on a polling thread serves its socket from rounds that are isolated to it")
    func echo() async throws {
        let context = try Context()
        let echo = try Echo(context)
        let endpoint = try await echo.start()
        try exchange(1_000, with: endpoint, context: context)
        #expect(await echo.roundCount >= 10, "100 messages a round at most")
    }

    /// Not async: a socket stays on its thread.
    private func exchange(_ count: Int, with endpoint: String, context: Context) throws {
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        for index in 0..<count { expectSent(dealer.send([[UInt8(index % 256)], [1]])) }
        for index in 0..<count {
            let received = try #require(try waitForMessage(at: dealer))
            #expect(received.frames == [[UInt8(index % 256)], [1]])
        }
    }

    @Test("jobs from many tasks all run, and sockets get their turn between them")
    func manyJobs() async throws {
        let context = try Context()
        let echo = try Echo(context)
        let endpoint = try await echo.start()
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask { for _ in 0..<200 { await echo.count() } }
            }
            group.addTask { try exchange(1_000, with: endpoint, context: context) }
            try await group.waitForAll()
        }
        #expect(await echo.jobCount == 10_000)
    }
}
