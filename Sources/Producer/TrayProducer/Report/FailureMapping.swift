import Service
import Wire

extension Failure {
    /// How a command ends when the producer could not do what it was told.
    package init(_ error: ProducerError) {
        self.init(error.exitStatus, error.description)
    }
}

extension ProducerError {
    fileprivate var exitStatus: ExitStatus {
        switch self {
        case .noAnswer: .unreachable
        case .refused: .refused
        case .conflict, .invalid: .invalidInput
        case .notFound: .noSuchOrder
        case .unsupported, .version: .unreachable
        case .notAuthorised: .notAuthorised
        case .malformed, .closed: .bug
        case .connection: .unreachable
        }
    }
}
