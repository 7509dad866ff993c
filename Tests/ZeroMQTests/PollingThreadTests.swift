import Foundation
import Synchronization
import Testing
import ZeroMQ

@Suite("The polling thread", .timeLimit(.minutes(1)))
struct PollingThreadTests {
    @Test("an actor on a polling thread serves its socket from rounds that are isolated to it")
    func echo() async throws {
        let context = try Context()
        let echo = Echo()
        let endpoint = try await echo.start(context)
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
        let echo = Echo()
        let endpoint = try await echo.start(context)
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask { for _ in 0..<200 { await echo.count() } }
            }
            group.addTask { try exchange(1_000, with: endpoint, context: context) }
            try await group.waitForAll()
        }
        #expect(await echo.jobCount == 10_000)
    }

    @Test("a deadline is met within milliseconds, never early, and costs no other wake-up")
    func deadline() async throws {
        let pacer = Pacer()
        let lateness = await pacer.rounds(20, every: .microseconds(7_300))
        #expect(lateness.allSatisfy { $0 >= .zero })
        #expect(lateness.sorted()[10] < .milliseconds(5))
        #expect(await pacer.earlyCount <= 2)
    }

    @Test("wake causes a round from any thread")
    func wake() async throws {
        let echo = Echo()
        _ = try await echo.start(try Context())
        let before = await echo.roundCount
        echo.thread.wake()
        while await echo.roundCount <= before { await Task.yield() }
    }

    @Test("a shell and its thread end with their last reference, also when that goes on the thread itself")
    func end() async throws {
        for endsOnThread in [false, true] {
            weak var shell: Echo?
            weak var thread: PollingThread?
            do {
                let echo = Echo()
                (shell, thread) = (echo, echo.thread)
                _ = try await echo.start(try Context())
                if endsOnThread { Task { await echo.count() } }
            }
            try await eventually { shell == nil && thread == nil }
        }
    }

    @Test("a thread that nobody holds is gone from the process")
    func threadIsGone() async throws {
        do {
            let thread = PollingThread(name: "short-lived")
            try await eventually { threadNames().contains("short-lived") }
            withExtendedLifetime(thread) {}
        }
        try await eventually { !threadNames().contains("short-lived") }
    }

    @Test(
        "a shell that ends elsewhere has its watched socket closed on the thread, and the port freed (FM-54)")
    func socketsOfTheDead() async throws {
        let context = try Context()
        var endpoint = "tcp://127.0.0.1:*"
        for _ in 0..<20 {
            let shell = Echo()
            var bound: String?
            try await eventually {
                bound = try? await shell.start(context, at: endpoint)
                return bound != nil
            }
            endpoint = try #require(bound)
        }
    }

    @Test("watching from another thread traps (FM-54)")
    func watchElsewhere() async {
        await #expect(processExitsWith: .failure) {
            let thread = PollingThread(name: "other")
            thread.watch(try Socket(try Context(), .dealer))
        }
    }
}

/// Sets itself deadlines and notes how late it was called.
private actor Pacer {
    nonisolated let thread = PollingThread(name: "pacer")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private var lateness: [Duration] = []
    private(set) var earlyCount = 0
    private var due = ContinuousClock.now

    func rounds(_ count: Int, every interval: Duration) async -> [Duration] {
        await withCheckedContinuation { continuation in
            due = .now + interval
            thread.onRound { [weak self] in
                self?.assumeIsolated { $0.round(count, every: interval, continuation) }
            }
        }
    }

    private func round(
        _ count: Int, every interval: Duration, _ continuation: CheckedContinuation<[Duration], Never>
    ) -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        guard now >= due else {
            earlyCount += 1
            return due
        }
        lateness.append(now - due)
        guard lateness.count < count else {
            thread.endRounds()
            continuation.resume(returning: lateness)
            return nil
        }
        due = now + interval
        return due
    }
}
