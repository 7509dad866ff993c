import ArgumentParser
import Service
import TrayAssembler
import ZeroMQ

struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Ask a running assembler whether it answers.",
        discussion: """
            For health checks of containers and service managers: run it where the assembler runs, with the same \
            settings. Exit code 0: it answers. 69: it does not.

            EXAMPLE
              assembler health --timeout 2s
            """)

    @Option(help: "The endpoint for producers that the assembler binds (TRAY_ORDERS).")
    var orders: String?

    @Option(parsing: .unconditional, help: "How long to wait for the answer. Default: 2s.")
    var timeout: String?

    @Option(
        help:
            "The assembler's configuration file (TRAY_CONFIG). Default: config/assembler.yaml where it exists."
    )
    var config: String?

    func run() throws {
        do throws(Failure) {
            try check()
        } catch {
            Program.end(error)
        }
    }

    private func check() throws(Failure) {
        try Flags.check()
        let settings = try Settings(
            keys: Keys.all, flags: orders.map { ["orders": $0] } ?? [:], file: config,
            defaultFile: "config/assembler.yaml")
        let endpoint = try settings.value(Keys.orders)
        if let complaint = Endpoint.problem(of: endpoint, binding: true) {
            throw settings.failure(at: Keys.orders.key, complaint)
        }
        let limit = try limit()
        do throws(HealthCheck.Problem) {
            let pong = try HealthCheck.run(
                endpoint: HealthCheck.reachable(endpoint), program: Program.name, within: limit)
            print(
                "\(pong.program) answers: \(pong.workerCount) workers, \(pong.runningOrderCount) running orders, "
                    + "\(pong.openItemCount) open items")
        } catch {
            throw Failure(.unreachable, "\(error) (waited \(DurationText.format(limit)))")
        }
    }

    private func limit() throws(Failure) -> Duration {
        guard let timeout else { return .seconds(2) }
        guard let limit = DurationText.parse(timeout) else {
            throw Failure(.usage, "--timeout: \(DurationText.complaint(about: timeout))")
        }
        return limit
    }
}
