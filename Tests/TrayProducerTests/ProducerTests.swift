import Testing
import TrayProducer
import Wire
import ZeroMQ

@Suite("A producer", .timeLimit(.minutes(1)))
struct ProducerTests {
    private static func producer(at endpoint: String, timeout: Duration = .seconds(20)) throws -> Producer {
        try Producer(endpoint: endpoint, program: "producer/test", timeout: timeout)
    }

    private static func order(_ count: Int) -> NewOrder {
        NewOrder(items: (0..<count).map { NewItem(name: "\($0)", station: "echo", payload: .text("\($0)")) })
    }

    // MARK: Submitting

    @Test(
        "a receipt that was lost with the assembler is told again for the same id, and makes no second order")
    func lostReceipt() async throws {
        let counter = try await Counter { message, earlierCount in
            earlierCount == 0 ? .restart : .answer(.receipt(for: message.submit, known: true))
        }
        let order = Self.order(3)
        let receipt = try await Self.producer(at: counter.endpoint).submit(order)
        #expect(receipt.order == order.id.data && receipt.known)
        let submits = await counter.received.filter { $0.submit.itemCount > 0 }.map(\.submit)
        #expect(submits.count == 2 && submits[0] == submits[1])
    }

    @Test(
        "an order of many pages survives a restart of the assembler half-way, without a gap or a repeat"
    )
    func paged() async throws {
        let counter = try await Counter { message, earlierCount in
            switch message.body {
            case .submit(let submit): .taken(submit.order, earlierCount == 0 ? 256 : 512)
            case .page where earlierCount == 2: .restart
            case .page(let page):
                page.firstIndex == 1_792
                    ? .answer(.receipt(.with { $0.order = page.order }))
                    : .taken(page.order, page.firstIndex + UInt32(page.items.count))
            default: .silence
            }
        }
        let order = Self.order(2_000)
        let receipt = try await Self.producer(at: counter.endpoint).submit(order)
        #expect(receipt.order == order.id.data)
        let received = await counter.received
        let resumed = received.suffix(from: received.lastIndex { $0.submit.itemCount > 0 } ?? 0)
        #expect(resumed.compactMap(\.pageIndex) == [512, 768, 1_024, 1_280, 1_536, 1_792])
        let last = received.last { $0.pageIndex == 1_792 }
        #expect(last?.page.items.last?.payload == .text("1999"))
    }

    @Test("nobody there: the error names the endpoint and comes when the time is up, not before")
    func nobody() async throws {
        // A port that was free a moment ago.
        let context = try Context()
        let socket = try Socket(context, .router)
        try socket.bind("tcp://127.0.0.1:*")
        let endpoint = try socket.boundEndpoint
        socket.close()
        let producer = try Self.producer(at: endpoint, timeout: .milliseconds(300))
        let before = ContinuousClock.now
        let error = await #expect(throws: ProducerError.self) { try await producer.submit(Self.order(1)) }
        #expect(error == .noAnswer(endpoint: endpoint, timeout: .milliseconds(300)))
        #expect(error?.description.contains("no assembler answered at \(endpoint) within 300ms") == true)
        #expect(ContinuousClock.now - before >= .milliseconds(300))
    }

    @Test("an assembler that is full is asked again until it takes the order")
    func full() async throws {
        let counter = try await Counter { message, earlierCount in
            .answer(earlierCount < 3 ? .refusal(.full, retryAfterMs: 50) : .receipt(for: message.submit))
        }
        _ = try await Self.producer(at: counter.endpoint).submit(Self.order(1))
        #expect(await counter.count { $0.submit.itemCount > 0 } == 4)
    }

    @Test("an assembler that stays full refuses in the end, with the pause that it asks for (FM-23)")
    func refused() async throws {
        let counter = try await Counter { _, _ in .answer(.refusal(.unavailable, retryAfterMs: 60_000)) }
        let producer = try await Self.producer(at: counter.endpoint)
        await #expect(throws: ProducerError.refused(message: "so it is", retryAfter: .seconds(60))) {
            try await producer.submit(Self.order(1))
        }
    }

    @Test("an order outside the limits is not sent, and the error names item and field")
    func invalid() async throws {
        let counter = try await Counter { _, _ in .silence }
        let producer = try await Self.producer(at: counter.endpoint)
        var order = Self.order(2)
        order.items[1].station = "no spaces"
        let error = await #expect(throws: ProducerError.self) { try await producer.submit(order) }
        #expect(error?.description.contains("items[1].station: 'no spaces'") == true)
        #expect(await counter.received.isEmpty)
    }

    // MARK: Watching

    @Test("a watcher goes on from its cursor when the assembler restarts, without a gap or a repeat (FM-41)")
    func restartWhileWatching() async throws {
        let counter = try await Counter { message, earlierCount in
            switch earlierCount {
            case 0: .answer(ScriptedOrder(itemCount: 5, landed: 2).outcomes(after: 0))
            case 1: .restart
            default: ScriptedOrder(itemCount: 5, landed: 5).answer(message)
            }
        }
        let producer = try await Self.producer(at: counter.endpoint)
        var landed: [[Int]] = []
        for try await batch in producer.outcomes(of: .drawn()) { landed.append(Array(batch)) }
        #expect(landed == [[4, 3], [2, 1, 0]])
        #expect(
            await counter.received.map(\.watch).filter { $0.outcomeCountMax > 0 }.map(\.afterLanding) == [
                0, 2, 2,
            ])
    }

    @Test("a watcher may begin after a landing that it knows")
    func cursor() async throws {
        let counter = try await Counter { message, _ in ScriptedOrder(itemCount: 5, landed: 5).answer(message)
        }
        let producer = try await Self.producer(at: counter.endpoint)
        var landed: [Int] = []
        for try await batch in producer.outcomes(of: .drawn(), after: 3) { landed += Array(batch) }
        #expect(landed == [1, 0])
    }

    @Test("outcomes are pulled one batch at a time: nothing is asked for before it is wanted")
    func backPressure() async throws {
        let counter = try await Counter { message, _ in
            .answer(
                ScriptedOrder(itemCount: 9, landed: 9).outcomes(
                    after: Int(message.watch.afterLanding), countMax: 2))
        }
        let producer = try await Self.producer(at: counter.endpoint)
        var batches = producer.outcomes(of: .drawn()).makeAsyncIterator()
        #expect(try await batches.next().map([Int].init) == [8, 7])
        _ = try await producer.ping()
        #expect(await counter.count { $0.watch.outcomeCountMax > 0 } == 1)
        #expect(try await batches.next().map([Int].init) == [6, 5])
    }

    @Test("an unknown order is an error at once, though a watch waits for as long as it takes")
    func unknownOrder() async throws {
        let counter = try await Counter { _, _ in .answer(.refusal(.notFound)) }
        let producer = try await Self.producer(at: counter.endpoint)
        let id = OrderID.drawn()
        await #expect(throws: ProducerError.notFound(id)) {
            for try await _ in producer.outcomes(of: id) { Issue.record("there is nothing to tell") }
        }
    }

    @Test("outcomes with a gap are not passed on")
    func gap() async throws {
        let counter = try await Counter { _, _ in
            .answer(ScriptedOrder(itemCount: 5, landed: 5).outcomes(after: 1))
        }
        let producer = try await Self.producer(at: counter.endpoint)
        let error = await #expect(throws: ProducerError.self) { try await producer.report(of: .drawn()) }
        guard case .malformed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    // MARK: Reports

    @Test("a gathered tray stands in submitted order, though its items landed last to first (FM-13)")
    func gathered() async throws {
        let counter = try await Counter { message, _ in
            ScriptedOrder(itemCount: 1_500, landed: 1_500).answer(message)
        }
        let report = try await Self.producer(at: counter.endpoint).gather(Self.order(1_500))
        #expect(report.summary.status == .complete)
        #expect(report.items.map(\.index) == Array(0..<1_500))
        #expect(report.items.allSatisfy { $0.status == .done && $0.result == .text("result of \($0.index)") })
        #expect(report.items[7].name == "item-7" && report.items[7].worker == "worker-1")
        #expect(report.items[7].finishedAt == WallTime(milliseconds: 2_000))
    }

    @Test("the report of a running order has slots without an ending")
    func running() async throws {
        let counter = try await Counter { message, _ in ScriptedOrder(itemCount: 3, landed: 1).answer(message)
        }
        let report = try await Self.producer(at: counter.endpoint).report(of: .drawn())
        #expect(report.items.map(\.status) == [.waiting, .waiting, .done])
        #expect(
            report.items[0].result == nil && report.items[0].error == nil && report.items[0].finishedAt == nil
        )
    }

    @Test("an order of no items has a report (FM-07)")
    func empty() async throws {
        let counter = try await Counter { message, _ in ScriptedOrder(itemCount: 0, landed: 0).answer(message)
        }
        let report = try await Self.producer(at: counter.endpoint).gather(Self.order(0))
        #expect(report.summary.status == .complete && report.items.isEmpty)
    }

    @Test("orders are listed page by page, up to the limit")
    func list() async throws {
        let ids = (0..<5).map { _ in OrderID.drawn() }.sorted(by: >).map(\.data)
        let counter = try await Counter { message, _ in
            let first = (ids.firstIndex(of: message.list.afterOrder) ?? -1) + 1
            let last = min(first + min(Int(message.list.orderCountMax), 2), ids.count)
            return .answer(
                .list(
                    .with {
                        $0.orders = ids[first..<last].map { id in .with { $0.order = id } }
                        $0.more = last < ids.count
                    }))
        }
        let producer = try await Self.producer(at: counter.endpoint)
        #expect(try await producer.orders().map(\.order) == ids)
        #expect(try await producer.orders(limit: 3).map(\.order) == Array(ids[..<3]))
        #expect(try await producer.orders(limit: 0).isEmpty)
    }
}

extension ProducerMessage {
    fileprivate var pageIndex: UInt32? {
        guard case .page(let page) = body else { return nil }
        return page.firstIndex
    }
}
