import ArgumentParser
import Service
import TrayProducer
import Wire

/// What `order`, `submit` and `map` take.
struct SubmissionOptions: ParsableArguments {
    @Flag(help: "Wait for the end and report.")
    var wait = false

    @Flag(help: "Wait, and print outcomes in the order in which they land.")
    var follow = false

    @Flag(help: "Print one JSON value; with --follow, one JSON object a line.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "An idempotency key: a second submission with it finds the order of the first.", valueName: "key"),
        transform: Arguments.key)
    var key: String?

    @Option(
        help: ArgumentHelp("How many items run at once; 1 is one after the other.", valueName: "n"),
        transform: Arguments.count)
    var maxParallel: Int?

    @Option(
        help: ArgumentHelp("How long the order may take, or none. (default: 24h)", valueName: "duration"),
        transform: Arguments.deadline)
    var deadline: NewOrder.Deadline?

    @Option(
        help: ArgumentHelp("How long an attempt of an item may take. (default: 10m)", valueName: "duration"),
        transform: Arguments.duration)
    var itemTimeout: Duration?

    @Option(
        help: ArgumentHelp(
            "Stop waiting after so long (exit code 124); the order goes on.", valueName: "duration"),
        transform: Arguments.duration)
    var waitLimit: Duration?

    /// Flags stand above what the order itself says.
    func applied(to order: NewOrder) -> NewOrder {
        var order = order
        if let key { order.key = key }
        if let maxParallel { order.maxParallel = maxParallel }
        if let deadline { order.deadline = deadline }
        if let itemTimeout {
            for index in order.items.indices { order.items[index].timeout = itemTimeout }
        }
        return order
    }
}

/// Submits orders and, where that is asked for, waits for their ends.
struct Submission {
    let session: Session
    let options: SubmissionOptions

    func run(_ orders: [NewOrder]) async throws {
        try await session.withProducer { producer in
            guard options.wait || options.follow else { return try await printReceipts(of: orders, producer) }
            let landings =
                options.follow
                ? Landings.followed(on: session.console, asJSON: options.json) : .told(on: session.console)
            let summaries = try await wait(for: orders, landings, producer)
            if !options.follow { try await printReports(of: summaries, producer) }
            try Ending.check(summaries)
        }
    }

    /// Submits the orders and waits for their ends.
    func wait(for orders: [NewOrder], _ landings: Landings, _ producer: Producer) async throws
        -> [OrderSummary]
    {
        let console = session.console
        let watched = try await submit(orders, to: producer) { order, receipt in
            guard !console.canDraw(besideStream: landings.streams) else { return }
            await console.say("\(receipt.idText) accepted\(order.name.isEmpty ? "" : ": \(order.name)")")
        }
        let waiting = Waiting(
            producer: producer, console: console, landings: landings, limit: options.waitLimit)
        return try await waiting.waitForEnd(of: watched.map { WatchedOrder($0.order, id: $0.id) })
    }

    func printReports(of summaries: [OrderSummary], _ producer: Producer) async throws {
        var reports: [TrayReport] = []
        for summary in summaries {
            guard let id = OrderID(summary.order) else { continue }
            reports.append(try await producer.report(of: id))
        }
        try await session.console.write(reports, asJSON: options.json)
    }

    private func printReceipts(of orders: [NewOrder], _ producer: Producer) async throws {
        var receipts: [Receipt] = []
        _ = try await submit(orders, to: producer) { _, receipt in
            if !options.json { try await session.console.write(line: receipt.idText) }
            receipts.append(receipt)
        }
        guard options.json else { return }
        let values = receipts.map(\.json)
        try await session.console.write(line: (values.count == 1 ? values[0] : .array(values)).text)
    }

    /// Submits one after the other. Where one is not accepted, those before it go on, and are named.
    private func submit(
        _ orders: [NewOrder], to producer: Producer, accepted: (NewOrder, Receipt) async throws -> Void
    ) async throws -> [(order: NewOrder, id: OrderID)] {
        var submitted: [(order: NewOrder, id: OrderID)] = []
        for order in orders {
            do {
                let receipt = try await producer.submit(order)
                submitted.append((order, OrderID(receipt.order) ?? order.id))
                try await accepted(order, receipt)
            } catch let error as ProducerError {
                guard !submitted.isEmpty else { throw error }
                let failure = Failure(error)
                let ids = submitted.map(\.id.description).joined(separator: ", ")
                throw Failure(failure.status, "\(failure.message); accepted before: \(ids)")
            }
        }
        return submitted
    }
}

/// The command did what it was asked to, and says with its exit code that an order did not end well.
struct Ending: Error {
    let status = ExitStatus.endedBadly

    /// - Throws: `Ending` where an order ended otherwise than complete.
    static func check(_ summaries: [OrderSummary]) throws(Ending) {
        guard summaries.contains(where: { $0.status.hasEnded && $0.status != .complete }) else { return }
        throw Ending()
    }
}

extension Console {
    /// One report, or an array of several.
    func write(_ reports: [TrayReport], asJSON: Bool) throws {
        if asJSON {
            let values = reports.map(\.json)
            return try write(line: (values.count == 1 ? values[0] : .array(values)).text)
        }
        for report in reports {
            for line in report.lines(width: reportWidth, style: reportStyle) { try write(line: line) }
        }
    }
}
