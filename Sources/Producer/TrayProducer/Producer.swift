import Logging
import ProducerCore
import Wire
import ZeroMQ

/// A connection to an assembler: submits orders, watches them, gathers their trays.
///
/// Connects with the first call and reconnects by itself; whatever was not answered is asked again, and
/// nothing happens twice. Safe to use from any task. Every call throws `ProducerError`, or
/// `CancellationError` when its task is cancelled; an order that was submitted goes on all the same.
public final class Producer: Sendable {
    public let endpoint: String
    /// How long a call tries to reach the assembler and be accepted; a large order begins anew with every
    /// page.
    public let timeout: Duration
    private let shell: ClientShell

    /// - Parameters:
    ///   - endpoint: The assembler's `orders` endpoint.
    ///   - program: Name and version, for people.
    /// - Throws: `ProducerError.connection` where `endpoint` is none. Whether anybody is there shows with the
    /// first call.
    public init(
        endpoint: String = Defaults.ordersEndpoint, program: String, timeout: Duration = .seconds(10),
        logger: Logger? = nil
    ) throws(ProducerError) {
        self.endpoint = endpoint
        self.timeout = timeout
        if let problem = Endpoint.problem(of: endpoint) {
            throw .connection(endpoint: endpoint, reason: problem)
        }
        do {
            shell = try ClientShell(endpoint: endpoint, program: program, logger: logger)
        } catch {
            throw .connection(endpoint: endpoint, reason: error.description)
        }
    }

    /// Whether an assembler has answered this producer. Before that, nothing that was asked has left it.
    public var hasBeenAnswered: Bool { shell.hasBeenWelcomed }

    /// Ends the connection; calls that wait throw `ProducerError.closed`. A producer that nobody holds ends
    /// by itself.
    public func close() async { await shell.close() }

    /// Submits an order; once this returns, the order is on the assembler's disk.
    ///
    /// - Returns: The receipt; its order is another than `order.id` when the key was known.
    public func submit(_ order: NewOrder) async throws -> Receipt {
        let submission = try order.submission()
        return try await ask(.submit(submission), about: order.id, timeout: timeout) { answer in
            guard case .receipt(let receipt) = answer else { return nil }
            return receipt
        }
    }

    /// The outcomes of an order as they land, batch by batch, until it has ended and all of them are told.
    ///
    /// Each batch is pulled when it is asked for. Lost connections and restarts of the assembler only delay
    /// it. The first batch comes at once, even if it is empty, so that an unknown order or an absent
    /// assembler shows; later ones are waited for as long as it takes.
    /// - Parameter landing: The last landing that is known already; 0 for all.
    public func outcomes(of id: OrderID, after landing: Int = 0) -> Outcomes {
        Outcomes(producer: self, order: id, landing: landing)
    }

    public func summary(of id: OrderID) async throws -> OrderSummary {
        try await tray(of: id, from: 0, countMax: 0).summary
    }

    /// The slots of an order as they stand, in submitted order, page by page; at least one page.
    public func pages(of id: OrderID) -> TrayPages { TrayPages(producer: self, order: id) }

    /// The order as it stands, with all of its slots: a running one has slots without an ending.
    public func report(of id: OrderID) async throws -> TrayReport {
        let slots = try await slots(of: id)
        // Outcomes come second: a slot that settles in between is told by its outcome.
        var outcomes: [Outcome] = []
        var batch: OutcomeBatch
        repeat {
            batch = try await pull(id, after: outcomes.count, wait: false)
            outcomes += batch.outcomes
        } while !batch.outcomes.isEmpty && outcomes.count < batch.summary.lastLanding
        return TrayReport(summary: batch.summary, slots: slots, outcomes: outcomes)
    }

    /// Submits, waits for the end, reports. When the task is cancelled the order goes on.
    public func gather(_ order: NewOrder) async throws -> TrayReport {
        let receipt = try await submit(order)
        guard let id = OrderID(receipt.order) else {
            throw ProducerError.malformed("a receipt names an order of \(receipt.order.count) bytes")
        }
        var summary = OrderSummary()
        var landed: [Outcome] = []
        for try await batch in outcomes(of: id) {
            summary = batch.summary
            landed += batch.outcomes
        }
        return TrayReport(summary: summary, slots: try await slots(of: id), outcomes: landed)
    }

    /// Orders, the newest by their ids first.
    /// - Parameter status: Only orders of this status; `nil`: all.
    public func orders(status: OrderStatus? = nil, limit: Int? = nil) async throws -> [OrderSummary] {
        var orders: [OrderSummary] = []
        var hasMore = true
        while hasMore, orders.count < limit ?? .max {
            let countMax = min(limit.map { $0 - orders.count } ?? .max, Limits.batchCountMax)
            let page = try await list(status, after: orders.last, countMax: countMax)
            try Producer.check(page.orders, after: orders.last)
            orders += page.orders
            hasMore = page.more && !page.orders.isEmpty
        }
        return orders
    }

    /// Cancels an order: items that wait never start, handlers that run are told to stop.
    ///
    /// - Returns: What the order came to: one that had ended stays as it was.
    public func cancel(_ id: OrderID) async throws -> OrderSummary {
        try await ask(.cancel(id), about: id, timeout: timeout) { answer in
            guard case .tray(let page) = answer else { return nil }
            return page.summary
        }
    }

    /// The workers that are connected.
    public func workers() async throws -> [WorkerState] {
        try await ask(.workers, timeout: timeout) { answer in
            guard case .workers(let list) = answer else { return nil }
            return list.workers
        }
    }

    /// The stations for which there is work, or somebody to do it.
    public func stations() async throws -> [StationState] {
        try await ask(.stations, timeout: timeout) { answer in
            guard case .stations(let list) = answer else { return nil }
            return list.stations
        }
    }

    public func ping() async throws -> Pong {
        try await ask(.ping, timeout: timeout) { answer in
            guard case .pong(let pong) = answer else { return nil }
            return pong
        }
    }
}

// MARK: - Pulls

extension Producer {
    /// Outcomes after a landing. With `wait` it takes as long as it takes, else at most `timeout`.
    func pull(_ id: OrderID, after landing: Int, wait: Bool) async throws -> OutcomeBatch {
        let request = Request.watch(id, afterLanding: landing, countMax: Limits.batchCountMax, wait: wait)
        let batch: OutcomeBatch = try await ask(request, about: id, timeout: wait ? nil : timeout) { answer in
            guard case .outcomes(let batch) = answer else { return nil }
            return batch
        }
        try Producer.check(batch.summary)
        guard batch.outcomes.enumerated().allSatisfy({ Int($1.landing) == landing + 1 + $0 }) else {
            throw ProducerError.malformed("the outcomes of order \(id) after landing \(landing) have gaps")
        }
        return batch
    }

    /// Slots from an index on: as many as fit a message.
    func tray(of id: OrderID, from firstIndex: Int, countMax: Int) async throws -> TrayPage {
        let request = Request.tray(id, firstIndex: firstIndex, countMax: countMax)
        let page: TrayPage = try await ask(request, about: id, timeout: timeout) { answer in
            guard case .tray(let page) = answer else { return nil }
            return page
        }
        try Producer.check(page.summary)
        let isWhole = countMax == 0 || !page.items.isEmpty || firstIndex >= page.summary.itemCount
        guard isWhole, page.items.enumerated().allSatisfy({ Int($1.index) == firstIndex + $0 }) else {
            throw ProducerError.malformed("the tray of order \(id) from index \(firstIndex) has gaps")
        }
        return page
    }

    /// - Throws: `ProducerError.malformed` for an order that cannot be: whoever pages through it would never end.
    private static func check(_ summary: OrderSummary) throws(ProducerError) {
        let (itemCount, landing) = (Int(summary.itemCount), Int(summary.lastLanding))
        guard itemCount <= Limits.orderItemCountMax, landing <= itemCount else {
            throw .malformed(
                "the assembler speaks of an order of \(itemCount) items, \(landing) of them settled")
        }
    }

    /// - Throws: `ProducerError.malformed` for ids that do not fall: whoever pages through them would never end.
    private static func check(_ page: [OrderSummary], after last: OrderSummary?) throws(ProducerError) {
        let orders = (last.map { [$0] } ?? []) + page
        let ids = orders.compactMap { OrderID($0.order) }
        guard ids.count == orders.count, zip(ids, ids.dropFirst()).allSatisfy({ $0 > $1 }) else {
            throw .malformed("the assembler's list of orders does not go from newer ids to older ones")
        }
    }

    private func slots(of id: OrderID) async throws -> [TrayItem] {
        var slots: [TrayItem] = []
        for try await page in pages(of: id) { slots += page.items }
        return slots
    }

    private func list(_ status: OrderStatus?, after last: OrderSummary?, countMax: Int) async throws
        -> OrderList
    {
        let request = Request.list(status, after: last.flatMap { OrderID($0.order) }, countMax: countMax)
        return try await ask(request, timeout: timeout) { answer in
            guard case .list(let list) = answer else { return nil }
            return list
        }
    }

    private func ask<Answer>(
        _ request: Request, about id: OrderID? = nil, timeout: Duration?,
        _ pick: (OrdersMessage.OneOf_Body) -> Answer?
    ) async throws -> Answer {
        switch try await shell.ask(request, timeout: timeout) {
        case .failure(let error):
            throw ProducerError(error, endpoint: endpoint, timeout: self.timeout, order: id)
        case .success(let body):
            guard let answer = pick(body) else { preconditionFailure("\(request) was finished with \(body)") }
            return answer
        }
    }
}

extension ProducerError {
    fileprivate init(_ error: CallError, endpoint: String, timeout: Duration, order: OrderID?) {
        switch error {
        case .noAnswer: self = .noAnswer(endpoint: endpoint, timeout: timeout)
        case .refused(let message, let retryAfter): self = .refused(message: message, retryAfter: retryAfter)
        case .conflict(let message): self = .conflict(message)
        case .invalid(let message): self = .invalid(message)
        case .notFound(let message): self = order.map(ProducerError.notFound) ?? .malformed(message)
        case .unsupported(let message): self = .unsupported(message)
        case .notAuthorised(let message): self = .notAuthorised(message)
        case .version(let ours, let theirs): self = .version(ours: ours, theirs: theirs)
        case .malformed(let message): self = .malformed(message)
        }
    }
}
