import Testing
import TrayProducer
import Wire

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

    @Test("thousands of calls at once are all answered, more than the socket takes at a time (FM-51)")
    func flood() async throws {
        let counter = try await Counter { message, _ in .answer(.receipt(for: message.submit)) }
        let producer = try await Self.producer(at: counter.endpoint)
        let orders = (0..<5_000).map { _ in NewOrder(items: [NewItem(station: "echo")]) }
        let receipts = try await withThrowingTaskGroup(of: (OrderID, Receipt).self) { group in
            for order in orders { group.addTask { (order.id, try await producer.submit(order)) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(receipts.count == 5_000)
        #expect(receipts.allSatisfy { $0.0.data == $0.1.order })
        #expect(await counter.count { $0.submit.itemCount > 0 } == 5_000)
    }

    @Test("a producer that nobody holds any more ends its connection")
    func forgotten() async throws {
        let counter = try await Counter { _, _ in .answer(.workers(WorkerList())) }
        weak var forgotten: Producer?
        do {
            let producer = try await Self.producer(at: counter.endpoint)
            _ = try await producer.workers()
            forgotten = producer
        }
        #expect(forgotten == nil)
    }
}
