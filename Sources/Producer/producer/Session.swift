import ArgumentParser
import Foundation
import Logging
import Service
import TrayProducer
import Wire

/// What every command can be told.
struct CommonOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long to try to reach the assembler and be accepted; TRAY_TIMEOUT. (default: 10s)",
            valueName: "duration"))
    var timeout: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "A file of settings; TRAY_CONFIG. (default: config/producer.yaml, where there is one)",
            valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var config: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical; TRAY_LOG_LEVEL. (default: warning)",
            valueName: "level"))
    var logLevel: String?
}

/// What a command can be told that talks to the assembler.
struct ConnectionOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Where the assembler listens for producers; TRAY_ORDERS. (default: \(Defaults.ordersEndpoint))",
            valueName: "endpoint"))
    var orders: String?

    @OptionGroup var common: CommonOptions
}

/// Which menu to read.
struct MenuOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Named orders and what holds at stations; TRAY_MENU. (default: \(Menu.defaultFile))",
            valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var menu: String?
}

/// The settings of one run, and what is made of them.
struct Session {
    private static let endpoint = Setting<String>.text("orders", default: Defaults.ordersEndpoint)
    private static let eventsEndpoint = Setting<String>.text("events", default: Defaults.eventsEndpoint)
    private static let timeout = Setting<Duration>.duration(
        "timeout", default: .seconds(10), atLeast: .milliseconds(1))
    private static let menuFile = Setting<String?>.optionalText("menu")
    private static let logLevel = Setting<Logger.Level>.choice("log_level", default: .warning)

    let console = Console()
    private let settings: Settings

    init(_ connection: ConnectionOptions, menu: MenuOptions? = nil) throws(Failure) {
        try self.init(
            connection.common,
            flags: [Session.endpoint.key: connection.orders, Session.menuFile.key: menu?.menu])
    }

    init(_ options: EventOptions) throws(Failure) {
        try self.init(options.common, flags: [Session.eventsEndpoint.key: options.events])
    }

    private init(_ common: CommonOptions, flags: [String: String?]) throws(Failure) {
        let commonFlags = [Session.timeout.key: common.timeout, Session.logLevel.key: common.logLevel]
        let flags = flags.merging(commonFlags) { own, _ in own }
        settings = try Settings(
            keys: [
                Session.endpoint.key, Session.eventsEndpoint.key, Session.timeout.key, Session.logLevel.key,
                Session.menuFile.key,
            ], flags: flags.compactMapValues { $0 }, file: common.config, defaultFile: "config/producer.yaml")
        Logs.bootstrap(level: try settings.value(Session.logLevel))
    }

    /// The menu that is named, else the one in its usual place; `nil` where nobody wrote one.
    func menuIfAny() throws -> Menu? {
        if let file = try settings.value(Session.menuFile) { return try Menu.read(file) }
        return FileBytes.isThere(Menu.defaultFile) ? try Menu.read(Menu.defaultFile) : nil
    }

    func menu() throws -> Menu {
        if let menu = try menuIfAny() { return menu }
        throw Failure(
            .invalidInput,
            "there is no menu at \(Menu.defaultFile); name one with --menu (TRAY_MENU), or write it")
    }

    /// Connects, and closes the connection whatever `body` does. An interruption cancels it.
    /// - Parameter whenInterrupted: what an interruption says, until `body` knows better.
    func withProducer(
        whenInterrupted sentence: String = "interrupted; what it was to print is not complete",
        _ body: @escaping @Sendable (Producer) async throws -> Void
    ) async throws {
        let producer = try connect()
        Interruption.ofProcess.say { sentence }
        try await Interruption.ofProcess.cancelling {
            do {
                try await body(producer)
            } catch {
                await producer.close()
                throw error
            }
            await producer.close()
        }
    }

    /// What happens at the assembler, and how long to try to reach it.
    func events(_ topics: [String]) throws -> (feed: EventFeed, timeout: Duration) {
        do {
            let endpoint = try settings.value(Session.eventsEndpoint)
            return (
                try EventFeed(endpoint: endpoint, topics: topics), try settings.value(Session.timeout)
            )
        } catch ProducerError.connection(_, let reason) {
            throw settings.failure(at: Session.eventsEndpoint.key, reason)
        }
    }

    private func connect() throws -> Producer {
        do {
            return try Producer(
                endpoint: try settings.value(Session.endpoint), program: ProducerCommand.program,
                timeout: try settings.value(Session.timeout), logger: Logger(label: "producer"))
        } catch ProducerError.connection(_, let reason) {
            throw settings.failure(at: Session.endpoint.key, reason)
        }
    }
}
