import Logging
import Service
import Wire
import WorkerCore

extension WorkerMachine.Note {
    /// One line for what an operator would want to know.
    func log(to logger: Logger) {
        switch self {
        case .welcomed(let name, let session):
            logger.info("welcomed by the assembler", metadata: ["name": "\(name)", "session": "\(session)"])
        case .helloUnanswered:
            logger.warning("no answer to hello: making a new connection")
        case .assemblerSilent(let silence):
            logger.warning(
                "the assembler is silent: making a new connection",
                metadata: ["silence": "\(DurationText.format(silence))"])
        case .refused(let refusal):
            logger.warning(
                "refused by the assembler",
                metadata: ["reason": "\(refusal.reason)", "message": "\(refusal.message)"])
        case .undecodable(let error):
            logger.warning("message not understood", metadata: ["error": "\(error)"])
        case .unusableWelcome:
            logger.warning("a welcome that breaks the contract: making a new connection")
        case .leaseReturned(let lease, let station, let reason):
            logger.notice(
                "lease given back",
                metadata: ["lease": "\(lease.text)", "station": "\(station)", "reason": "\(reason)"])
        case .stopped(let lease, let reason):
            logger.info(
                "handler stopped",
                metadata: ["lease": "\(lease.text)", "reason": "\(WorkerMachine.Note.text(reason))"])
        case .resultDropped(let lease, let fate):
            logger.notice("result dropped", metadata: ["lease": "\(lease.text)", "fate": "\(fate)"])
        case .holdingBack(let count, let bytes):
            logger.info(
                "asking for no more work: results wait for their acknowledgement",
                metadata: ["held": "\(count)", "bytes": "\(bytes)"])
        case .askingAgain:
            logger.info("asking for work again")
        case .draining(let running, let held):
            logger.info("draining", metadata: ["running": "\(running)", "held": "\(held)"])
        case .hurrying(let running, let held):
            logger.info("stopping everything now", metadata: ["running": "\(running)", "held": "\(held)"])
        }
    }

    private static func text(_ reason: StopReason) -> String {
        switch reason {
        case .revoked: "revoked"
        case .timeout(let timeout): "timeout of \(DurationText.format(timeout))"
        case .draining: "draining"
        }
    }
}
