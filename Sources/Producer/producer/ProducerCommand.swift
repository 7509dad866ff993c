import ArgumentParser
import Foundation
import Glibc
import Service
import TrayProducer
import Wire

/// `producer`: submits orders, watches them, shows their trays.
@main
struct ProducerCommand: AsyncParsableCommand {
    /// As the assembler is told.
    static let program = "tray-producer/0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "producer",
        abstract: "Submits orders of several items to an assembler, and brings their trays back.",
        discussion: """
            Data goes to standard output, talk to standard error. An order that was accepted goes on, \
            whatever becomes of this program: 'producer watch ID' picks it up.

            EXAMPLES
              producer order lunch-set --wait
              producer submit order.yaml --wait --json
              find . -name '*.png' | producer map --station resize
              producer list --status running

            The exit code is 0 for complete, 1 where an order ended otherwise; docs/cli.md has all of them.
            Completion scripts: producer --generate-completion-script bash|zsh|fish
            """,
        version: "\(program) (protocol \(Frames.versions.lowest) to \(Frames.versions.highest))",
        groupedSubcommands: [
            CommandGroup(
                name: "Submitting", subcommands: [OrderCommand.self, SubmitCommand.self, MapCommand.self]),
            CommandGroup(
                name: "Orders",
                subcommands: [
                    WatchCommand.self, StatusCommand.self, ResultsCommand.self, CancelCommand.self,
                    ListCommand.self,
                ]),
            CommandGroup(
                name: "The shop",
                subcommands: [
                    WorkersCommand.self, StationsCommand.self, MenuCommand.self, EventsCommand.self,
                    PingCommand.self,
                ]),
        ])

    static func main() async {
        signal(SIGPIPE, SIG_IGN)  // A reader that went away is an error of `write`, not our death.
        Interruption.ofProcess.listen()
        if let failure = wrongFlags(CommandLine.arguments.dropFirst()) { end(failure) }
        do {
            var command = try await asyncParseAsRoot()
            guard var own = command as? any AsyncParsableCommand, !(own is ProducerCommand) else {
                return try command.run()
            }
            if let status = await status(of: &own) { Glibc.exit(status.rawValue) }
        } catch {
            // Usage errors, --help, --version and completion scripts are ArgumentParser's.
            exit(withError: error)
        }
    }

    /// Runs a command and says what went wrong, if anything did.
    private static func status(of command: inout any AsyncParsableCommand) async -> ExitStatus? {
        do {
            try await command.run()
            return nil
        } catch let ending as Ending {
            return ending.status
        } catch _ where Interruption.ofProcess.hasCome {
            // Whatever the cancelled work threw.
            Interruption.ofProcess.sayOnce()
            return .interrupted
        } catch OutputError.readerGone {
            return .interrupted
        } catch {
            let failure = failure(error)
            LastWords.say(failure.message)
            return failure.status
        }
    }

    private static func end(_ failure: Failure) -> Never {
        LastWords.say(failure.message)
        Glibc.exit(failure.status.rawValue)
    }

    /// What the parser takes, or names to nobody: a flag given twice, a command that there is not.
    private static func wrongFlags(_ arguments: ArraySlice<String>) -> Failure? {
        do throws(Failure) {
            try Flags.check(arguments)
        } catch {
            return error
        }
        let commands = configuration.subcommands.map { $0._commandName }
        guard let word = arguments.first, !word.hasPrefix("-"), !(commands + ["help"]).contains(word) else {
            return nil
        }
        let hint =
            NearestWord.suggestion(for: word, among: commands).map { "did you mean \"\($0)\"?" }
            ?? "there are \(commands.joined(separator: ", "))"
        return Failure(.usage, "no command \"\(word)\"; \(hint)")
    }

    private static func failure(_ error: any Error) -> Failure {
        switch error {
        case let failure as Failure: failure
        case let error as DocumentError: Failure(.invalidInput, error.description)
        case let error as ProducerError: Failure(error)
        case OutputError.failed(let reason): Failure(.store, "standard output cannot be written: \(reason)")
        default: Failure(.bug, "this is a bug of producer, please report it: \(error)")
        }
    }
}
