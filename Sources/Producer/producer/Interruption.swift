import Dispatch
import Foundation
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

    /// What is to be said of the interruption; nil where it has not come, or is said already.
    func takeSentence() -> String? {
        state.withLock { state in
            guard state.hasCome, !state.isSaid else { return nil }
            state.isSaid = true
            return state.sentence()
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
        if let sentence = takeSentence() { Interruption.tell(sentence) }
        _exit(ExitStatus.interrupted.rawValue)
    }

    /// Standard error may be what blocks: then the exit code says it.
    private static func tell(_ sentence: String) {
        var ready = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&ready, 1, 0) == 1 else { return }
        let line = Array("producer: \(sentence)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
