/// How a process of Tray ends. Scripts depend on the numbers: docs/cli.md has them for users.
public enum ExitStatus: Int32, Sendable {
    /// Every order asked for is complete, or accepted where nobody waits for it.
    case complete = 0
    /// An order ended partial, failed, cancelled or expired.
    case endedBadly = 1
    case usage = 64
    /// An order, menu or input is not valid; or a known key or id came with other content.
    case invalidInput = 65
    case noSuchOrder = 66
    /// No assembler answered in time.
    case unreachable = 69
    /// A bug of ours.
    case bug = 70
    /// The store cannot be used.
    case store = 74
    /// Refused for now: full, or shutting down.
    case refused = 75
    case notAuthorised = 77
    case configuration = 78
    /// Gave up waiting; the order goes on.
    case gaveUpWaiting = 124
    /// Interrupted; the order goes on.
    case interrupted = 130
}

/// Why a process ends before its work is done.
public struct Failure: Error, CustomStringConvertible, Sendable {
    public let status: ExitStatus
    /// For people, on one line: what is wrong, where, and what to do.
    public let message: String

    public init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = PlainText.line(message)
    }

    public var description: String { message }
}
