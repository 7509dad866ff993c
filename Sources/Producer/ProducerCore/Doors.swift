import Wire

/// One call of one client, numbered by the shell. Never used twice; calls are asked in ascending order.
public struct CallID: Hashable, Comparable, Sendable {
    public var number: UInt64

    public init(_ number: UInt64) { self.number = number }

    public static func < (left: CallID, right: CallID) -> Bool { left.number < right.number }
}

extension Client {
    /// What happens to the client.
    public enum Input: Equatable, Sendable {
        /// A fresh connection to the assembler is up; nothing has been said on it.
        case linkOpened
        case linkClosed
        case received(OrdersMessage)
        /// Something arrived that is not of the contract.
        case undecodable(WireError)
        /// Ask this, and again after every lost connection, until it is answered or `timeout` has passed.
        /// A submission's time begins anew with every page that is taken. `nil`: for as long as it takes.
        case start(CallID, Request, timeout: Duration?)
        /// Nobody waits for this call any more. An order that was submitted goes on.
        case abandon(CallID)
    }

    /// What the shell must do, in the order given.
    public enum Action: Equatable, Sendable {
        case send(ProducerMessage)
        /// Give the connection up and make a new one. No `linkClosed` needs to follow.
        case resetLink
        /// The last word on a call. The body is of the kind that answers the call's request.
        case finish(CallID, Result<OrdersMessage.OneOf_Body, CallError>)
        case note(Note)
    }

    /// What an operator may want to know. The core does not log; the shell does.
    public enum Note: Equatable, Sendable {
        case welcomed(program: String, incarnation: UInt32)
        /// A hello was not taken.
        case helloRefused(Refusal)
        /// The assembler has been silent for so long.
        case assemblerSilent(Duration)
        case undecodable(WireError)
        /// An answer that nobody waits for (any more): so many by now.
        case answerIgnored(total: Int)
        /// Refused for now: asked again after so long.
        case postponed(CallID, Duration, message: String)
    }

    /// What follows from an input. A producer saves nothing, so these are actions only.
    public struct Step: Equatable, Sendable {
        public var actions: [Action] = []

        public init(_ actions: [Action] = []) { self.actions = actions }

        mutating func add(_ action: Action) { actions.append(action) }
    }
}

/// Why a call was not answered with what it asked for. Messages are the assembler's, for people.
public enum CallError: Error, Equatable, Sendable {
    /// The time was up before anybody answered.
    case noAnswer
    /// Full, shutting down or short of disk, until the time was up.
    case refused(message: String, retryAfter: Duration)
    case conflict(message: String)
    case invalid(message: String)
    case notFound(message: String)
    case unsupported(message: String)
    case notAuthorised(message: String)
    /// No common protocol version.
    case version(ours: VersionRange, theirs: VersionRange)
    /// One side broke the contract.
    case malformed(message: String)

    /// What `refusal` means for whom it concerns.
    init(_ refusal: Refusal) {
        let message = refusal.message
        switch refusal.reason {
        case .version: self = .version(ours: Frames.versions, theirs: refusal.versions)
        case .unsupported: self = .unsupported(message: message)
        case .invalid: self = .invalid(message: message)
        case .conflict: self = .conflict(message: message)
        case .notFound: self = .notFound(message: message)
        case .full, .unavailable: self = .refused(message: message, retryAfter: refusal.retryAfter)
        case .notAuthorised: self = .notAuthorised(message: message)
        case .malformed, .session, .unspecified, .UNRECOGNIZED: self = .malformed(message: message)
        }
    }
}

extension Refusal {
    /// The pause before the same may be asked again: at least 50 ms, so that a refuser that names none is not
    /// flooded, at most an hour.
    var retryAfter: Duration {
        .milliseconds(Int64(min(max(retryAfterMs, 50), 3_600_000)))
    }

    /// Whether the same may be taken later.
    var isForNow: Bool { reason == .full || reason == .unavailable }
}
