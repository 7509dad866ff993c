import ArgumentParser
import AssemblerStore
import Foundation
import Logging
import Service
import TrayAssembler
import Wire
import ZeroMQ

@main
struct AssemblerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assembler",
        abstract:
            "Owns the trays: takes orders from producers, leases their items to workers, keeps every outcome.",
        discussion: """
            Without a subcommand it runs until it is told to stop (SIGTERM or SIGINT).

            EXAMPLES
              assembler                                    loopback endpoints, store in ./data/tray.sqlite
              assembler --store /var/lib/tray/tray.sqlite
              assembler --orders tcp://0.0.0.0:5570 --kitchen tcp://0.0.0.0:5571 --insecure
              assembler health                             asks a running one whether it answers
              assembler verify ./data/tray.sqlite          checks a store that nobody has open
            """,
        version: Program.version,
        subcommands: [RunCommand.self, HealthCommand.self, VerifyCommand.self],
        defaultSubcommand: RunCommand.self)
}

enum Program {
    static let name = "tray-assembler/0.1.0"
    static let version = "\(name) (protocol \(Frames.versions.lowest) to \(Frames.versions.highest))"
}

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the assembler (the default).", version: Program.version)

    @Option(help: "Endpoint for producers (TRAY_ORDERS). Default: \(Defaults.ordersEndpoint).")
    var orders: String?

    @Option(help: "Endpoint for workers (TRAY_KITCHEN). Default: \(Defaults.kitchenEndpoint).")
    var kitchen: String?

    @Option(
        help:
            "Endpoint for whoever wants to know what happens (TRAY_EVENTS). Default: \(Defaults.eventsEndpoint)."
    )
    var events: String?

    @Option(help: "The store's file (TRAY_STORE). Default: ./data/tray.sqlite.")
    var store: String?

    @Option(parsing: .unconditional, help: "How long ended orders are kept (TRAY_RETENTION). Default: 7d.")
    var retention: String?

    @Option(
        name: .customLong("disk-reserve-mib"),
        parsing: .unconditional,
        help:
            "With less room on the store's disk, new orders are refused (TRAY_DISK_RESERVE_MIB). Default: 256."
    )
    var diskReserveMebibytes: String?

    @Option(
        help: """
            An item that ends so many workers in a row, the last one alone, is set aside as poisoned; or never \
            (TRAY_WORKER_DEATHS_MAX). Default: 5.
            """)
    var workerDeathsMax: String?

    @Flag(help: "Bind beyond loopback without encryption: anybody who reaches the ports may use them.")
    var insecure = false

    @Option(help: "Configuration file (TRAY_CONFIG). Default: config/assembler.yaml where it exists.")
    var config: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical (TRAY_LOG_LEVEL). Default: info.")
    var logLevel: String?

    func run() async throws {
        do {
            try await serve()
        } catch let failure as Failure {
            Program.end(failure)
        }
    }

    private func serve() async throws {
        let signals = await Signals.sequence()
        let settings = try settings()
        Logs.bootstrap(level: try settings.value(Logs.level))
        let assembler = AssemblerService(try options(settings), log: Logger(label: "assembler"))
        do {
            _ = try await assembler.start()
        } catch {
            throw error.failure
        }
        let stopping = Task {
            // The first signal already ends it at once: what runs and is held stays with the workers.
            for await _ in signals { await assembler.stop() }
        }
        defer { stopping.cancel() }
        do {
            try await assembler.waitForEnd()
        } catch let error as AssemblerError {
            throw error.failure
        }
    }

    private func settings() throws(Failure) -> Settings {
        try Flags.check()
        var flags: [String: String] = [:]
        flags["orders"] = orders
        flags["kitchen"] = kitchen
        flags["events"] = events
        flags["store"] = store
        flags["retention"] = retention
        flags["disk_reserve_mib"] = diskReserveMebibytes
        flags["worker_deaths_max"] = workerDeathsMax
        flags["log_level"] = logLevel
        if insecure { flags["insecure"] = "true" }
        return try Settings(
            keys: Keys.all, flags: flags, file: config, defaultFile: "config/assembler.yaml")
    }

    private func options(_ settings: Settings) throws(Failure) -> AssemblerService.Options {
        var options = AssemblerService.Options()
        options.orders = try settings.value(Keys.orders)
        options.kitchen = try settings.value(Keys.kitchen)
        options.events = try settings.value(Keys.events)
        options.store = try settings.value(Keys.store)
        options.retention = try settings.value(Keys.retention)
        options.diskReserveBytes = try settings.value(Keys.diskReserveMebibytes) << 20
        options.core.workerDeathsMax = try settings.value(Keys.workerDeathsMax)
        options.core.program = Program.name
        for (key, endpoint) in [
            ("orders", options.orders), ("kitchen", options.kitchen), ("events", options.events),
        ] {
            if let complaint = Endpoint.problem(of: endpoint, binding: true) {
                throw settings.failure(at: key, complaint)
            }
            guard try settings.value(Keys.insecure) || Reach.staysOnThisMachine(endpoint) else {
                throw settings.failure(
                    at: key,
                    "'\(endpoint)' can be reached from other machines, and connections are not encrypted; "
                        + "bind a loopback address, or allow it with --insecure (TRAY_INSECURE=true)")
            }
        }
        return options
    }
}

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check every row of a store, and change nothing.",
        discussion: """
            Reads only. Exit code 0: every row is what was written. 74: it is not, or cannot be read.

            EXAMPLE
              assembler verify ./data/tray.sqlite
            """)

    @Argument(help: "The store's file.")
    var store: String

    func run() throws {
        do throws(StoreError) {
            let report = try Store.verify(path: store)
            for problem in report.problems { print(problem) }
            print(
                "\(report.orderCount) orders, \(report.itemCount) items, \(report.outcomeCount) outcomes, "
                    + "\(report.attemptCount) attempts: \(report.problems.count) problems")
            guard report.isSound else {
                Program.end(
                    Failure(
                        .store, "\(store) is damaged; restore a copy of it, and keep this one for the search")
                )
            }
        } catch {
            Program.end(Failure(.store, "\(error)"))
        }
    }
}

/// The settings of the assembler.
enum Keys {
    static let orders = Setting.text("orders", default: Defaults.ordersEndpoint)
    static let kitchen = Setting.text("kitchen", default: Defaults.kitchenEndpoint)
    static let events = Setting.text("events", default: Defaults.eventsEndpoint)
    static let store = Setting.text("store", default: "./data/tray.sqlite")
    static let retention = Setting.duration("retention", default: .seconds(7 * 24 * 3600))
    static let diskReserveMebibytes = Setting.count("disk_reserve_mib", in: 0...1_048_576, default: 256)
    static let workerDeathsMax = Setting<Int?>(
        "worker_deaths_max", default: Defaults.workerDeathsMax,
        requirement: "a number of workers, 1 to \(Limits.workerDeathsMax), or never"
    ) { text -> Int?? in
        if text == "never" { return .some(.none) }
        guard let count = Int(text), (1...Limits.workerDeathsMax).contains(count) else { return .none }
        return .some(.some(count))
    }
    static let insecure = Setting.toggle("insecure", default: false)

    static let all = [
        orders.key, kitchen.key, events.key, store.key, retention.key, diskReserveMebibytes.key,
        workerDeathsMax.key,
        insecure.key,
        Logs.level.key,
    ]
}

/// Who can reach an endpoint that is bound.
enum Reach {
    static func staysOnThisMachine(_ endpoint: String) -> Bool {
        guard endpoint.hasPrefix("tcp://"), let (host, _) = hostAndPort(endpoint) else { return true }
        return host == "localhost" || host == "[::1]" || host.hasPrefix("127.")
    }

    private static func hostAndPort(_ endpoint: String) -> (host: Substring, port: Substring)? {
        let address = endpoint.dropFirst("tcp://".count)
        guard let colon = address.lastIndex(of: ":") else { return nil }
        return (address[..<colon], address[address.index(after: colon)...])
    }
}

extension AssemblerError {
    fileprivate var failure: Failure {
        switch self {
        case .store(let error): Failure(.store, "\(error)")
        case .socket(let error):
            Failure(
                .configuration,
                "\(error); see --orders (TRAY_ORDERS), --kitchen (TRAY_KITCHEN) and --events (TRAY_EVENTS)")
        }
    }
}

extension Program {
    /// Says why, and ends the process.
    static func end(_ failure: Failure) -> Never {
        // Nobody is left to tell where standard error is closed.
        try? FileHandle.standardError.write(contentsOf: Data("assembler: \(failure.message)\n".utf8))
        exit(failure.status.rawValue)
    }
}
