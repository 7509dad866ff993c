import Service
import Wire

/// Why a call did not get what it asked for. The description says what, where and what to do.
public enum ProducerError: Error, Equatable, Sendable {
    /// Nobody answered there for so long.
    case noAnswer(endpoint: String, timeout: Duration)
    /// The assembler is full, shutting down or short of disk: try again after `retryAfter`.
    case refused(message: String, retryAfter: Duration)
    /// A known order id or key with other content.
    case conflict(String)
    /// The order breaks a limit: the message names item and field.
    case invalid(String)
    case notFound(OrderID)
    /// The assembler does not know this message or order feature.
    case unsupported(String)
    case notAuthorised(String)
    /// No common protocol version.
    case version(ours: VersionRange, theirs: VersionRange)
    /// One side broke the contract: what was said about it.
    case malformed(String)
    /// The endpoint is none, or the socket library cannot be used.
    case connection(endpoint: String, reason: String)
    /// `close()` was called.
    case closed
}

extension ProducerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noAnswer(let endpoint, let timeout):
            "no assembler answered at \(endpoint) within \(DurationText.format(timeout)); "
                + "start one, or name another endpoint with --orders or TRAY_ORDERS"
        case .refused(let message, let retryAfter):
            "the assembler takes no more for now: \(message); "
                + "try again after \(DurationText.format(retryAfter))"
        case .conflict(let message): "this order id or key is known with other content: \(message)"
        case .invalid(let message): "the order is not valid: \(message)"
        case .notFound(let id):
            "the assembler knows no order \(id); 'producer list' shows those that it keeps"
        case .unsupported(let message): "the assembler does not support this: \(message); upgrade it"
        case .notAuthorised(let message): "not authorised: \(message); check the keys"
        case .version(let ours, let theirs):
            "no common protocol version: this producer speaks \(ours.text), the assembler \(theirs.text); "
                + "upgrade the older of the two"
        case .malformed(let message): "producer and assembler do not understand each other: \(message)"
        case .connection(let endpoint, let reason): "cannot use the endpoint \(endpoint): \(reason)"
        case .closed: "the producer was closed"
        }
    }
}

extension VersionRange {
    /// As people read it: `1` or `1 to 3`.
    var text: String { lowest == highest ? "\(lowest)" : "\(lowest) to \(highest)" }
}
