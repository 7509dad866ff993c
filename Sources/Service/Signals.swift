import Glibc
import UnixSignals

/// The signals that ask a process to stop.
public enum Signals {
    public enum Request: Sendable {
        /// SIGTERM.
        case terminate
        /// SIGINT.
        case interrupt
    }

    /// Takes SIGTERM and SIGINT over from here on, and has SIGPIPE ignored: writing to a closed pipe is an
    /// error.
    ///
    /// - Returns: Each signal as it arrives. It has one reader.
    public static func sequence() async -> some AsyncSequence<Request, Never> & Sendable {
        signal(SIGPIPE, SIG_IGN)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        return signals.map { $0 == .sigterm ? .terminate : .interrupt }
    }
}
