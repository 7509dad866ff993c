import Foundation
import Service
import Glibc
import Subprocess
import Synchronization
import SystemPackage

/// Runs a program, without a shell, in a process group of its own.
///
/// The program gets the payload on standard input and for each `{payload}` in its arguments; `TRAY_ORDER`,
/// `TRAY_ITEM` (the index), `TRAY_STATION`, `TRAY_ATTEMPT` and `TRAY_LEASE` are in its environment. Its
/// standard output is the result. Exit code 0 is done, 65 a failure that is not tried again, anything else a
/// failure with the end of standard error as the message. When the program has ended, so has its group: what
/// it leaves running is killed.
public struct CommandHandler: Handler {
    /// What standard output is.
    public enum Output: String, Sendable {
        /// Text where it is UTF-8, else bytes.
        case plain
        /// One JSON value; anything else is a failure.
        case json
    }

    /// From SIGTERM to SIGKILL, where nobody says otherwise.
    public static let graceDefault = Duration.seconds(2)
    /// The exit code of a failure that another attempt would only repeat.
    static let permanentFailureCode: Int32 = 65
    /// So much of the end of standard error becomes a failure's message.
    static let errorTailBytesMax = 2 << 10

    private static let signalNames = [
        SIGABRT: "SIGABRT", SIGALRM: "SIGALRM", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGHUP: "SIGHUP",
        SIGILL: "SIGILL", SIGINT: "SIGINT", SIGKILL: "SIGKILL", SIGPIPE: "SIGPIPE", SIGQUIT: "SIGQUIT",
        SIGSEGV: "SIGSEGV", SIGSYS: "SIGSYS", SIGTERM: "SIGTERM", SIGTRAP: "SIGTRAP", SIGXCPU: "SIGXCPU",
    ]

    private let commandLine: CommandLine
    private let output: Output
    private let grace: Duration
    private let groups = ProcessGroups()

    /// - Parameters:
    ///   - command: the program and its arguments.
    ///   - grace: from SIGTERM, when the attempt is to stop, to SIGKILL.
    ///   - searchPath: where programs are looked up; as `PATH`.
    /// - Throws: `CommandError` when the program is not there.
    public init(
        _ command: [String], output: Output = .plain, grace: Duration = CommandHandler.graceDefault,
        searchPath: String = ProcessInfo.processInfo.environment["PATH"] ?? ""
    ) throws(CommandError) {
        commandLine = try CommandLine(command, searchPath: searchPath)
        self.output = output
        self.grace = grace
        // A program may end without reading its input. That must be an error of one write, not a signal to
        // us.
        signal(SIGPIPE, SIG_IGN)
    }

    public func run(_ attempt: Attempt) async -> HandlerOutcome {
        let payload = PayloadText.bytes(of: attempt.payload)
        let guarded: Guardian.Run
        do {
            guarded = try groups.announce()
        } catch {
            return .failed("cannot run \(commandLine.program): \(error)")
        }
        // Until the last of its processes is gone, also while the program is being ended.
        defer { groups.end(guarded) }
        do {
            let configuration = Configuration(
                executable: .path(FilePath(commandLine.path)),
                // Bytes as they are, ended as C's strings are: swift-subprocess copies them up to their NUL.
                arguments: Arguments(
                    executablePathOverride: Array(commandLine.program.utf8) + [0],
                    remainingValues: try commandLine.arguments(payload: payload).map { $0 + [0] }),
                environment: .inherit.updating(CommandHandler.environment(of: attempt, guarded)),
                platformOptions: platformOptions)
            return await run(
                configuration, guarded, payload: payload, resultBytesMax: attempt.resultBytesMax)
        } catch {
            return .failedForGood(error.description)
        }
    }

    public func abandon() { groups.killAll() }

    private var platformOptions: PlatformOptions {
        var options = PlatformOptions()
        options.processGroupID = 0  // a new one
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace)
        ]
        return options
    }

    private static func environment(of attempt: Attempt, _ run: Guardian.Run) -> [Environment.Key: String?] {
        let mark = run.variable
        return [
            "TRAY_ORDER": attempt.order.description, "TRAY_ITEM": String(attempt.itemIndex),
            "TRAY_STATION": attempt.station, "TRAY_ATTEMPT": String(attempt.number),
            "TRAY_LEASE": attempt.lease.text, Environment.Key(stringLiteral: mark.name): mark.value,
        ]
    }

    private func run(
        _ configuration: Configuration, _ guarded: Guardian.Run, payload: [UInt8], resultBytesMax: Int
    ) async -> HandlerOutcome {
        let ended: ExecutionResult<Streams, SequenceOutput, SequenceOutput>
        let stoppedAt = Mutex<ContinuousClock.Instant?>(nil)
        do {
            ended = try await withTaskCancellationHandler {
                try await Subprocess.run(
                    configuration, input: .inputWriter, output: .sequence, error: .sequence
                ) { [grace, groups] execution in
                    groups.begin(ProcessGroup(id: execution.processIdentifier.value), guarded)
                    return await Streams(
                        of: execution, payload: payload, outputBytesMax: resultBytesMax, grace: grace)
                }
            } onCancel: {
                stoppedAt.withLock { $0 = .now }
            }
        } catch {
            return Task.isCancelled ? .stopped : notRun(error, payloadBytes: payload.count)
        }
        let group = ProcessGroup(id: ended.processIdentifier.value)
        guard !Task.isCancelled else {
            // The program is gone; what it had started may still be on its way out. One grace for all of them.
            await group.end(by: (stoppedAt.withLock(\.self) ?? .now) + grace)
            return .stopped
        }
        await group.endNow()
        guard let output = ended.closureResult.output else {
            return .failedForGood("the output of \(commandLine.program) exceeds \(resultBytesMax) bytes")
        }
        return outcome(ended.terminationStatus, output: output, errorTail: ended.closureResult.errorTail)
    }

    private func notRun(_ error: any Error, payloadBytes: Int) -> HandlerOutcome {
        if let error = error as? SubprocessError, error.underlyingError == .argListTooLong {
            return .failedForGood(
                "the payload of \(payloadBytes) bytes is too long for an argument of \(commandLine.program): "
                    + "read it from standard input instead")
        }
        return .failed("cannot run \(commandLine.program): \(error)")
    }

    private func outcome(_ status: TerminationStatus, output: [UInt8], errorTail: String) -> HandlerOutcome {
        switch status {
        case .exited(0):
            return result(output)
        case .exited(let code):
            return .failed(
                message: errorTail.isEmpty ? "exit code \(code), and nothing on standard error" : errorTail,
                isPermanent: code == CommandHandler.permanentFailureCode)
        case .signaled(let signal):
            let name = "ended by \(CommandHandler.signalNames[signal] ?? "signal \(signal)")"
            return .failed(errorTail.isEmpty ? name : "\(name): \(errorTail)")
        }
    }

    private func result(_ bytes: [UInt8]) -> HandlerOutcome {
        switch output {
        case .plain:
            let isText = String(validating: bytes, as: UTF8.self) != nil
            return .done(Content(isText ? .text : .bytes, Data(bytes)))
        case .json:
            guard JSONText.isOneValue(Data(bytes)) else {
                return .failed("the output of \(commandLine.program) is not one JSON value")
            }
            return .done(Content(.json, Data(PayloadText.compact(bytes))))
        }
    }
}

/// What has passed through the standard streams of a program.
private struct Streams: Sendable {
    /// `nil`: it was too much, and the program was ended.
    let output: [UInt8]?
    /// Without space around it.
    let errorTail: String

    typealias Running = Execution<CustomWriteInput, SequenceOutput, SequenceOutput>

    /// Feeds and reads the program until its streams end, or the program does.
    init(of execution: Running, payload: [UInt8], outputBytesMax: Int, grace: Duration) async {
        async let feeding: Void = Streams.feed(payload, to: execution.standardInputWriter)
        async let errorTail = Streams.tail(of: execution.standardError)
        output = await Streams.collect(execution.standardOutput, bytesMax: outputBytesMax)
        if output == nil {
            await execution.teardown(using: [
                .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace)
            ])
        }
        await feeding
        self.errorTail = await errorTail
    }

    private static func feed(_ payload: [UInt8], to writer: StandardInputWriter) async {
        // A program need not read its input: its exit code says whether it has missed something.
        _ = try? await writer.write(payload)
        try? await writer.finish()
    }

    /// `nil` beyond `bytesMax`.
    private static func collect(_ output: SubprocessOutputSequence, bytesMax: Int) async -> [UInt8]? {
        var bytes: [UInt8] = []
        do {
            for try await buffer in output {
                guard bytes.count + buffer.count <= bytesMax else { return nil }
                buffer.withUnsafeBytes { bytes.append(contentsOf: $0) }
            }
        } catch {
            // Reading ends with the program, whoever still holds the other end of the pipe.
        }
        return bytes
    }

    private static func tail(of output: SubprocessOutputSequence) async -> String {
        let bytesMax = CommandHandler.errorTailBytesMax
        var tail: [UInt8] = []
        do {
            for try await buffer in output {
                buffer.withUnsafeBytes { tail.append(contentsOf: $0) }
                if tail.count > bytesMax { tail.removeFirst(tail.count - bytesMax) }
            }
        } catch {
            // As above.
        }
        // The cut may have gone through a character: its rest has no meaning.
        let isCut = tail.count == bytesMax
        let whole = isCut ? tail.drop { $0 & 0b1100_0000 == 0b1000_0000 } : tail[...]
        return String(decoding: whole, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
