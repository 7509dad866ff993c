import Dispatch
import Testing
import Wire

@testable import TrayProducer

@Suite("A producer's connection", .timeLimit(.minutes(1)))
struct ConnectionTests {
    private static func producer(at endpoint: String) throws -> Producer {
        try Producer(endpoint: endpoint, program: "producer/test", timeout: .seconds(20))
    }

    @Test("what is no endpoint is said at once")
    func endpoint() {
        #expect(throws: ProducerError.self) { try Self.producer(at: "localhost:5570") }
    }

    @Test("a cancelled task abandons its call and not its order, and others go on")
    func cancelled() async throws {
        let counter = try await Counter { _, _ in .silence }
        let producer = try await Self.producer(at: counter.endpoint)
        let waiting = Task {
            for try await batch in producer.outcomes(of: .drawn()) { Issue.record("\(batch)") }
        }
        while await counter.count(where: { $0.watch.outcomeCountMax > 0 }) == 0 { await Task.yield() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(try await producer.ping().program == "counter")
        #expect(await counter.count { !$0.cancel.order.isEmpty } == 0)
    }

    @Test("a task that was cancelled before asks nothing")
    func cancelledBefore() async throws {
        let counter = try await Counter { _, _ in .silence }
        let producer = try await Self.producer(at: counter.endpoint)
        let asking = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await producer.workers()
        }
        await #expect(throws: CancellationError.self) { try await asking.value }
        #expect(await counter.received.isEmpty)
    }

    @Test("closing ends the calls that wait, and all later ones")
    func closed() async throws {
        let counter = try await Counter { _, _ in .silence }
        let producer = try await Self.producer(at: counter.endpoint)
        let asking = Task { try await producer.workers() }
        while await counter.count(where: { $0.body == .workers(WorkersRequest()) }) == 0 {
            await Task.yield()
        }
        await producer.close()
        await #expect(throws: ProducerError.closed) { try await asking.value }
        await #expect(throws: ProducerError.closed) { try await producer.ping() }
        await producer.close()
    }

    @Test(
        "what is not of the contract costs the connection, not the call",
        arguments: [[[1, 2, 3]], [Array("TRAY/9".utf8), []], [Array("TRAY/1".utf8), [0xff, 0xff]]]
            as [[[UInt8]]])
    func garbage(frames: [[UInt8]]) async throws {
        let counter = try await Counter { _, earlierCount in
            earlierCount == 0 ? .frames(frames) : .answer(.workers(WorkerList()))
        }
        #expect(try await Self.producer(at: counter.endpoint).workers().isEmpty)
        #expect(await counter.count { $0.hello.program == "producer/test" } == 2)
    }

    @Test("calls beyond what the socket takes wait for their turn, and all are answered (FM-51)")
    func flood() async throws {
        let gate = DispatchSemaphore(value: 0)
        let counter = try await Counter { message, earlierCount in
            if earlierCount == 0 { gate.wait() }
            return .answer(.receipt(for: message.submit))
        }
        let shell = try await ClientShell(endpoint: counter.endpoint, program: "producer/test", logger: nil)
        let payload = Content.bytes([UInt8](repeating: 7, count: 10_000))
        let answeredCount = try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<5_000 {
                let order = NewOrder(items: [NewItem(station: "echo", payload: payload)])
                group.addTask {
                    let answer = try await shell.ask(.submit(try order.submission()), timeout: nil)
                    #expect(try answer.get() == .receipt(.with { $0.order = order.id.data }))
                }
            }
            while await shell.outbox.isEmpty { await Task.yield() }
            gate.signal()
            return try await group.reduce(0) { count, _ in count + 1 }
        }
        #expect(answeredCount == 5_000)
        #expect(await counter.count { $0.submit.itemCount > 0 } == 5_000, "nothing is asked twice")
    }

    @Test("a connection that nobody holds any more ends by itself (FM-44)")
    func forgotten() async throws {
        let counter = try await Counter { _, _ in .answer(.workers(WorkerList())) }
        weak var forgotten: ClientShell?
        do {
            let shell = try await ClientShell(
                endpoint: counter.endpoint, program: "producer/test", logger: nil)
            _ = try await shell.ask(.workers, timeout: nil)
            forgotten = shell
        }
        while forgotten != nil { await Task.yield() }
    }
}
