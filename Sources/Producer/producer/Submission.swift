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
        parsing: .unconditional,
        help: ArgumentHelp(
            "An idempotency key: a second submission with it finds the first one's order.", valueName: "key"),
        transform: Arguments.key)
    var key: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many items run at once; 1 is one after the other.", valueName: "n"),
        transform: Arguments.count)
    var maxParallel: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long the order may take, or none. (default: 24h)", valueName: "duration"),
        transform: Arguments.deadline)
    var deadline: NewOrder.Deadline?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long an attempt of an item may take. (default: 10m)", valueName: "duration"),
        transform: Arguments.duration)
    var itemTimeout: Duration?

    @Option(
        parsing: .unconditional,
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
struct Submission: Sendable {
    /// Submissions under way at once: enough for the assembler to write many in one commit.
    private static let inFlightMax = 64

    let console: Console
    let options: SubmissionOptions

    func run(_ orders: [NewOrder], _ producer: Producer) async throws {
        guard options.wait || options.follow else { return try await printReceipts(of: orders, producer) }
        let landings =
            options.follow ? Landings.followed(on: console, asJSON: options.json) : .told(on: console)
        let reports = try await wait(for: orders, landings, producer)
        if !options.follow { try await console.write(reports, asJSON: options.json) }
        try Ending.check(reports)
    }

    /// Submits the orders and waits for their ends.
    func wait(for orders: [NewOrder], _ landings: Landings, _ producer: Producer) async throws -> [TrayReport]
    {
        let receipts = try await Submission.submitAll(orders, to: producer)
        let watched = zip(orders, receipts).map { WatchedOrder($0, id: OrderID($1.order) ?? $0.id) }
        if !console.canDraw(besideStream: landings.streams) {
            for (order, receipt) in zip(orders, receipts) {
                await console.say("\(receipt.idText) accepted\(order.name.isEmpty ? "" : ": \(order.name)")")
            }
        }
        let waiting = Waiting(
            producer: producer, console: console, landings: landings, limit: options.waitLimit,
            pictureStays: options.json || !console.showsReports)
        return try await waiting.waitForEnd(of: watched)
    }

    private func printReceipts(of orders: [NewOrder], _ producer: Producer) async throws {
        let receipts = try await Submission.submitAll(orders, to: producer)
        guard options.json else {
            for receipt in receipts { try await console.write(line: receipt.idText) }
            return
        }
        let values = receipts.map(\.json)
        try await console.write(line: (values.count == 1 ? values[0] : .array(values)).text)
    }

    /// Submits the orders, several at once. Where one is not accepted no more are begun; those that were
    /// accepted go on, and are named.
    private static func submitAll(_ orders: [NewOrder], to producer: Producer) async throws -> [Receipt] {
        let progress = SubmissionProgress(orders, to: producer)
        Interruption.ofProcess.say { progress.interrupted }
        var receipts: [Int: Receipt] = [:]
        var firstError: (any Error)?
        await withTaskGroup(of: (Int, Result<Receipt, any Error>).self) { group in
            for position in orders.indices.prefix(Submission.inFlightMax) {
                group.addTask { (position, await Submission.submit(orders[position], to: producer)) }
            }
            var next = Submission.inFlightMax
            for await (position, result) in group {
                switch result {
                case .success(let receipt):
                    receipts[position] = receipt
                    progress.add(receipt)
                case .failure(let error): firstError = firstError ?? error
                }
                guard firstError == nil, orders.indices.contains(next) else { continue }
                group.addTask { [next] in (next, await Submission.submit(orders[next], to: producer)) }
                next += 1
            }
        }
        let accepted = orders.indices.compactMap { receipts[$0] }
        guard let firstError else { return accepted }
        guard let error = firstError as? ProducerError, !accepted.isEmpty else { throw firstError }
        let failure = Failure(error)
        let ids = accepted.map(\.idText).joined(separator: ", ")
        throw Failure(failure.status, "\(failure.message); accepted nevertheless: \(ids)")
    }

    private static func submit(_ order: NewOrder, to producer: Producer) async -> Result<Receipt, any Error> {
        do {
            return .success(try await producer.submit(order))
        } catch {
            return .failure(error)
        }
    }
}

/// The command did what it was asked to, and says with its exit code that an order did not end well.
struct Ending: Error {
    let status = ExitStatus.endedBadly

    /// - Throws: `Ending` where an order ended otherwise than complete.
    static func check(_ reports: [TrayReport]) throws(Ending) {
        let statuses = reports.map(\.summary.status)
        guard statuses.contains(where: { $0.hasEnded && $0 != .complete }) else { return }
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
