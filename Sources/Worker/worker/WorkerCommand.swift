import ArgumentParser
import Foundation
import Logging
import Service
import TrayWorker
import Wire

@main
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Runs items for the assembler: what it serves, and how, stands in config/worker.yaml.",
        discussion: """
            SIGTERM or SIGINT drains: running handlers may finish for the drain timeout, then they are \
            stopped and their items given back. A second signal stops everything at once. Without a \
            configuration file it serves the stations echo, sleep and fail.

            EXAMPLES
              worker                                     all stations of config/worker.yaml
              worker --kitchen tcp://10.0.0.5:5571 --name grill-1
              worker --station grill=4 --station fryer   these only, grill with capacity 4
              worker --config /etc/tray/worker.yaml --drain-timeout 1m

            EXIT CODES
              0   drained
              1   results or running handlers left behind
              64  wrong usage
              77  not authorised
              78  wrong configuration, or no protocol version in common
            """,
        version: Program.version)

    @Option(
        help: "The assembler's endpoint for workers (TRAY_KITCHEN). Default: \(Defaults.kitchenEndpoint).")
    var kitchen: String?

    @Option(help: "Name for people (TRAY_NAME). Default: the host's name and four digits.")
    var name: String?

    @Option(
        name: .customLong("station"),
        help: ArgumentHelp(
            "Serve only this station of the configuration, with this capacity if given. Repeatable.",
            valueName: "name[=capacity]"))
    var stations: [String] = []

    @Option(help: "Configuration file (TRAY_CONFIG). Default: config/worker.yaml where it exists.")
    var config: String?

    @Option(
        parsing: .unconditional,
        help: "How long running handlers may go on when draining (TRAY_DRAIN_TIMEOUT). Default: 10s.")
    var drainTimeout: String?

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
        let instance = WorkerService.newInstance()
        let stations = try stations(of: settings)
        let kitchen = try settings.value(Program.kitchen)
        if let problem = WorkerService.problem(ofKitchen: kitchen) {
            throw settings.failure(at: "kitchen", problem)
        }
        let name = try settings.value(Program.name) ?? Program.defaultName(instance: instance)
        let drainTimeout = try settings.value(Program.drainTimeout)
        let logger = Logger(label: "worker")
        logger.info(
            "serving",
            metadata: [
                "name": "\(name)", "kitchen": "\(kitchen)",
                "stations": "\(stations.map { "\($0.name)=\($0.capacity)" }.joined(separator: " "))",
                "configuration": "\(settings.document?.file ?? "built in")",
            ])
        let worker = try WorkerService(
            kitchen: kitchen, name: name, instance: instance, stations: stations,
            drainTimeout: drainTimeout, program: Program.title, logger: logger)
        let stopping = Task {
            var hasDrained = false
            for await _ in signals {
                if hasDrained { await worker.hurry() } else { await worker.drain() }
                hasDrained = true
            }
        }
        defer { stopping.cancel() }
        if let failure = Program.failure(of: await worker.run(), kitchen: kitchen) { throw failure }
    }

    private func settings() throws(Failure) -> Settings {
        try Flags.check(repeatable: ["--station"])
        var flags: [String: String] = [:]
        flags["kitchen"] = kitchen
        flags["name"] = name
        flags["drain_timeout"] = drainTimeout
        flags["log_level"] = logLevel
        return try Settings(
            keys: ["kitchen", "name", "drain_timeout", "log_level"], nestedKeys: [StationFile.key],
            flags: flags,
            file: config, defaultFile: "config/worker.yaml")
    }

    /// Those that `--station` names, in the order of the flags; all where there is none.
    private func stations(of settings: Settings) throws(Failure) -> [Station] {
        guard !stations.isEmpty else { return try configured(settings, serving: nil) }
        let known = try settings.document.map(StationFile.names) ?? Station.builtIn.map(\.name)
        let choices = try StationChoice.all(stations, known: known)
        let configured = try configured(settings, serving: Set(choices.map(\.name)))
        let chosen = choices.compactMap { choice in
            configured.first { $0.name == choice.name }.map { station in
                var station = station
                station.capacity = choice.capacity ?? station.capacity
                return station
            }
        }
        let capacity = chosen.reduce(0) { $0 + $1.capacity }
        guard capacity <= Limits.workerCapacityMax else {
            throw Failure(
                .usage, "--station: the capacities add up to \(capacity); at most \(Limits.workerCapacityMax)"
            )
        }
        return chosen
    }

    private func configured(_ settings: Settings, serving names: Set<String>?) throws(Failure) -> [Station] {
        guard let document = settings.document else {
            return Station.builtIn.filter { names?.contains($0.name) ?? true }
        }
        return try StationFile.stations(in: document, serving: names)
    }
}

/// What one `--station` says.
private struct StationChoice {
    let name: String
    /// `nil`: as configured.
    let capacity: Int?

    static func all(_ flags: [String], known: [String]) throws(Failure) -> [StationChoice] {
        var choices: [StationChoice] = []
        for flag in flags {
            let choice = try StationChoice(flag, known: known)
            guard !choices.contains(where: { $0.name == choice.name }) else {
                throw Failure(.usage, "--station \(flag): \"\(choice.name)\" is given twice")
            }
            choices.append(choice)
        }
        return choices
    }

    private init(_ flag: String, known: [String]) throws(Failure) {
        let parts = flag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        name = String(parts[0])
        guard known.contains(name) else {
            throw Failure(
                .usage, "--station \(flag): no such station; known are \(known.joined(separator: ", "))")
        }
        guard parts.count == 2 else {
            capacity = nil
            return
        }
        guard let capacity = Int(parts[1]), (1...Limits.workerCapacityMax).contains(capacity) else {
            throw Failure(
                .usage, "--station \(flag): capacities are from 1 to \(Limits.workerCapacityMax)")
        }
        self.capacity = capacity
    }
}
