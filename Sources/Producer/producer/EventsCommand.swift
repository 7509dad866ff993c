import ArgumentParser
import Foundation
import Service
import TrayProducer
import Wire

/// What `events` can be told: it asks another endpoint than all the others.
struct EventOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Where the assembler tells what happens; TRAY_EVENTS. (default: \(Defaults.eventsEndpoint))",
            valueName: "endpoint"))
    var events: String?

    @OptionGroup var common: CommonOptions
}

struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Prints what happens at the assembler, from now on until it is interrupted.",
        discussion: """
            An assembler that goes away is waited for; what happens meanwhile is not told.

            EXAMPLES
              producer events
              producer events order. worker.
              producer events item.settled --json | jq .data
            """)

    @Argument(help: ArgumentHelp("Topics, or their beginnings. (default: all)", valueName: "topic"))
    var topics: [String] = []

    @Flag(help: "Print each event as its CloudEvent, a JSON object a line.")
    var json = false

    @OptionGroup var options: EventOptions

    func validate() throws {
        for topic in topics where topic.utf8.count > EventFeed.topicBytesMax {
            throw ValidationError("a topic has at most \(EventFeed.topicBytesMax) bytes")
        }
    }

    func run() async throws {
        let session = try Session(options)
        let (feed, timeout) = try session.events(topics)
        let console = session.console
        Interruption.ofProcess.say { "interrupted" }
        try await Interruption.ofProcess.cancelling {
            try await withTaskCancellationHandler {
                try await EventsCommand.connect(feed, timeout: timeout)
                try await print(feed, on: console)
            } onCancel: {
                Task { await feed.close() }
            }
        }
    }

    private static func connect(_ feed: EventFeed, timeout: Duration) async throws {
        let limit = Task {
            // Cancelled once the feed is connected.
            guard (try? await Task.sleep(for: timeout)) != nil else { return }
            await feed.close()
        }
        defer { limit.cancel() }
        guard try await feed.next() == nil else { return }
        try Task.checkCancellation()
        throw notThere(feed)
    }

    private static func notThere(_ feed: EventFeed) -> Failure {
        Failure(
            .unreachable,
            "no assembler tells its events at \(feed.endpoint); "
                + "start one, or name another endpoint with --events or TRAY_EVENTS")
    }

    private func print(_ feed: EventFeed, on console: Console) async throws {
        while let item = try await feed.next() {
            switch item {
            case .connected: await console.say("the assembler at \(feed.endpoint) is back")
            case .disconnected: await console.say("the assembler at \(feed.endpoint) is gone: waiting for it")
            case .event(let topic, let event):
                let line = json ? String(decoding: event, as: UTF8.self) : EventText.line(topic, event)
                try await console.write(line: line)
            }
        }
        try Task.checkCancellation()
        // The time was up in the moment in which it connected.
        throw EventsCommand.notThere(feed)
    }
}
