import Dispatch
import Glibc
import Service
import Synchronization

/// What SIGTERM and SIGINT do to a command: the first ends it in good order, the second at once.
///
/// Good order is a sentence of what became of the order, and exit code 130. What cannot be unwound within half a
/// second (a read or a write that blocks) is left as it is. The signals come by Dispatch and not by the
/// cooperative pool, whose threads may all be blocked.
final class Interruption: Sendable {
    /// Signals are the process's, so this is, too.
    static let ofProcess = Interruption()

    private static let unwindingMax = DispatchTimeInterval.milliseconds(500)

    private struct State {
        /// What became of the order, as things stand.
        var sentence: @Sendable () -> String = { "interrupted; nothing was submitted" }
        /// Ends what has to be unwound; nil: nothing has, the process may end on the spot.
        var cancel: (@Sendable () -> Void)?
        var hasCome = false
        var isSaid = false
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "interruption")

    private init() {}

    /// Takes the signals over from here on. Once per process.
    func listen() {
        for number in [SIGTERM, SIGINT] {
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            // The handler keeps its source for as long as the process lives.
            source.setEventHandler { self.handle(signalCount: Int(source.data)) }
            source.resume()
        }
    }

    var hasCome: Bool { state.withLock(\.hasCome) }

    /// From here on an interruption says what `sentence` gives.
    func say(_ sentence: @escaping @Sendable () -> String) { state.withLock { $0.sentence = sentence } }

    /// Runs `work`, which an interruption cancels.
    func cancelling<Result: Sendable>(
        _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task(operation: work)
        state.withLock { state in
            // It came a moment ago, and ends the process.
            guard state.hasCome else {
                state.cancel = { task.cancel() }
                return
            }
            task.cancel()
        }
        return try await task.value
    }

    /// Says what became of the order, once; for the command whose work has ended by the interruption.
    func sayOnce() {
        // Waited for without the lock: a second signal ends the process meanwhile.
        _ = LastWords.isHeard()
        sayAtOnce()
    }

    /// Under the lock, so that whoever comes second ends the process after the sentence, not amid it.
    private func sayAtOnce() {
        state.withLock { state in
            guard state.hasCome, !state.isSaid else { return }
            state.isSaid = true
            LastWords.say(state.sentence(), within: .zero)
        }
    }

    private func handle(signalCount: Int) {
        let (isFirst, cancel) = state.withLock { state in
            defer { state.hasCome = true }
            return (!state.hasCome && signalCount == 1, state.cancel)
        }
        guard isFirst, let cancel else { end() }
        queue.asyncAfter(deadline: .now() + Interruption.unwindingMax) { self.end() }
        cancel()
    }

    private func end() -> Never {
        sayAtOnce()
        _exit(ExitStatus.interrupted.rawValue)
    }
}
