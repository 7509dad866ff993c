import Glibc
import Service
import TrayProducer

/// What a command says of its end, on standard error.
enum LastWords {
    /// How long a reader of standard error has.
    static let patience = Duration.milliseconds(500)

    /// What a pipe takes without blocking once it is ready (PIPE_BUF), however full it is.
    private static let readyBytes = 4_096

    /// Writes `producer: MESSAGE` on a line. Where nobody reads it within `patience`, the exit code says it.
    static func say(_ message: String, within patience: Duration = LastWords.patience) {
        let deadline = ContinuousClock.now + patience
        let line = Array("producer: \(Printable.line(message))\n".utf8)
        var rest = line[...]
        while !rest.isEmpty, isHeard(within: deadline - .now) {
            let count = rest.prefix(readyBytes).withUnsafeBytes {
                write(STDERR_FILENO, $0.baseAddress, $0.count)
            }
            guard count > 0 || errno == EINTR || errno == EAGAIN else { return }
            rest = rest.dropFirst(max(0, count))
        }
    }

    /// Waits until standard error takes something; an error shows in the write.
    static func isHeard(within patience: Duration = LastWords.patience) -> Bool {
        let milliseconds = max(patience, .zero) / .milliseconds(1)
        var ready = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        return poll(&ready, 1, Int32(milliseconds)) > 0
    }
}
