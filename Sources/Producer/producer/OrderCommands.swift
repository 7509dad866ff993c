import ArgumentParser
import Foundation
import Service
import TrayProducer
import Wire

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Waits until an order has ended, then reports its tray.",
        discussion: """
            EXAMPLES
              producer watch 01KA2B3C4D5E6F7G8H9JKMNPQR
              producer watch 01KA2B3C4D5E6F7G8H9JKMNPQR --wait-limit 1m --json
            """)

    @Argument(help: "The order's id.", transform: Arguments.order)
    var id: OrderID

    @Flag(help: "Print outcomes in the order in which they land, those from before first.")
    var follow = false

    @Flag(help: "Print one JSON value; with --follow, one JSON object a line.")
    var json = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Stop waiting after so long (exit code 124); the order goes on.", valueName: "duration"),
        transform: Arguments.duration)
    var waitLimit: Duration?

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection)
        let console = session.console
        try await session.withProducer(whenInterrupted: "interrupted; \(Waiting.goesOn([id]))") { producer in
            let waiting = Waiting(
                producer: producer, console: console,
                landings: follow ? .followed(on: console, asJSON: json) : .told(on: console),
                limit: waitLimit, pictureStays: json || follow || !console.showsReports)
            let order = try await WatchedOrder(id, from: producer)
            let reports = try await waiting.waitForEnd(of: [order])
            if !follow { try await console.write(reports, asJSON: json) }
            try Ending.check(reports)
        }
    }
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Reports an order's tray as it stands.",
        discussion: """
            EXAMPLES
              producer status 01KA2B3C4D5E6F7G8H9JKMNPQR
              producer status 01KA2B3C4D5E6F7G8H9JKMNPQR --json
            """)

    @Argument(help: "The order's id.", transform: Arguments.order)
    var id: OrderID

    @Flag(help: "Print the report as JSON.")
    var json = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection)
        let console = session.console
        try await session.withProducer { producer in
            let report = try await producer.report(of: id)
            try await console.write([report], asJSON: json)
            try Ending.check([report])
        }
    }
}

struct ResultsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "results",
        abstract: "Prints the results of an order, in the order of its items.",
        discussion: """
            Results are printed as the handlers wrote them; items that ended badly are named on standard \
            error.

            EXAMPLES
              producer results 01KA2B3C4D5E6F7G8H9JKMNPQR > results.txt
              producer results 01KA2B3C4D5E6F7G8H9JKMNPQR --json
            """)

    @Argument(help: "The order's id.", transform: Arguments.order)
    var id: OrderID

    @Flag(help: "Print a JSON array of the items instead.")
    var json = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection)
        let console = session.console
        try await session.withProducer { producer in
            let report = try await producer.report(of: id)
            if json {
                try await console.write(line: JSONValue.array(report.items.map(\.json)).text)
            } else {
                try await write(report, on: console)
            }
            try Ending.check([report])
        }
    }

    private func write(_ report: TrayReport, on console: Console) async throws {
        for item in report.items {
            try await console.write(item.resultLine)
            if let failure = item.failureLine(of: "item \(item.label)") { await console.say(failure) }
        }
        if !report.summary.status.hasEnded { await console.say(report.summary.line) }
    }
}

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels an order.",
        discussion: """
            Waiting items never start, running handlers are told to stop. An order that had ended stays as \
            it was. Prints the order's state.

            EXAMPLES
              producer cancel 01KA2B3C4D5E6F7G8H9JKMNPQR
            """)

    @Argument(help: "The order's id.", transform: Arguments.order)
    var id: OrderID

    @Flag(help: "Print the order and its state as JSON.")
    var json = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection)
        let console = session.console
        let sentence = "interrupted; whether the order is cancelled says: producer status \(id)"
        try await session.withProducer(whenInterrupted: sentence) { producer in
            let summary = try await producer.cancel(id)
            Interruption.ofProcess.say { "interrupted; the order is \(summary.status.text)" }
            try await console.write(line: json ? summary.receipt.text : summary.line)
        }
    }
}

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists orders, the newest first.",
        discussion: """
            EXAMPLES
              producer list
              producer list --status running --json
            """)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Only orders in this state.", valueName: "status"),
        completion: .list(Arguments.statusTexts), transform: Arguments.status)
    var status: OrderStatus?

    @Flag(help: "Print a JSON array.")
    var json = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection)
        let console = session.console
        try await session.withProducer { producer in
            let orders = try await producer.orders(status: status)
            try await console.write(.orders(orders), orJSON: json ? orders.map(\.json) : nil)
        }
    }
}
