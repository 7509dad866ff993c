import AssemblerCore
import Logging
import Wire

/// Writes what the core notes into the log: one line per thing that an operator would want to know.
struct Notes {
    let log: Logger

    func write(_ note: Note) {
        switch note {
        case .workerJoined(let name, let session, let adopted):
            log.info("worker joined", metadata: worker(name, session, ["adopted_leases": "\(adopted)"]))
        case .workerLeft(let name, let session):
            log.info("worker left", metadata: worker(name, session))
        case .workerLost(let name, let session, let leases, let why):
            log.warning(
                "worker lost", metadata: worker(name, session, ["leases_back": "\(leases)", "why": "\(why)"]))
        case .orderAccepted(let order, let items):
            log.info("order accepted", metadata: ["order": "\(order)", "items": "\(items)"])
        case .orderServed(let order, let status, let elapsed):
            log.info(
                "order served",
                metadata: ["order": "\(order)", "status": "\(status.text)", "elapsed": "\(elapsed)"])
        case .orderAbandoned(let order):
            log.warning(
                "order abandoned by its producer before its last page", metadata: ["order": "\(order)"])
        case .attemptFailed(let order, let index, let attempt, let worker, let message, let retryIn):
            log.info(
                "attempt failed",
                metadata: [
                    "order": "\(order)", "index": "\(index)", "attempt": "\(attempt)", "worker": "\(worker)",
                    "message": "\(Notes.line(message))", "retry_in": "\(retryIn.map { "\($0)" } ?? "never")",
                ])
        case .attemptTimedOut(let order, let index, let worker):
            log.warning(
                "lease taken back: its worker did not end it at its timeout",
                metadata: ["order": "\(order)", "index": "\(index)", "worker": "\(worker)"])
        case .itemPoisoned(let order, let index, let workers):
            log.warning(
                "item poisoned: it ended every worker that ran it, and is set aside",
                metadata: [
                    "order": "\(order)", "index": "\(index)", "workers": "\(workers.joined(separator: " "))",
                ])
        case .probationBegan(let worker, let station, let failures, let message):
            log.warning(
                "worker on probation: it only fails here, and gets one lease at a time until one succeeds",
                metadata: [
                    "worker": "\(worker)", "station": "\(station)", "failures": "\(failures)",
                    "message": "\(Notes.line(message))",
                ])
        case .probationEnded(let worker, let station):
            log.info("worker trusted again", metadata: ["worker": "\(worker)", "station": "\(station)"])
        case .examinationBegan(let worker, let station, let items):
            log.info(
                "items that lost their workers run apart",
                metadata: ["worker": "\(worker)", "station": "\(station)", "items": "\(items)"])
        case .lateResult(let order, let index, let worker):
            log.info(
                "late result dropped",
                metadata: ["order": "\(order)", "index": "\(index)", "worker": "\(worker)"])
        case .malformed(let connection, let endpoint, let message):
            log.warning(
                "message not understood",
                metadata: [
                    "connection": "\(connection.number)", "endpoint": "\(endpoint)",
                    "error": "\(Notes.line(message))",
                ])
        case .handshakeFailed(let endpoint):
            log.warning("a stranger that does not speak ZeroMQ", metadata: ["endpoint": "\(endpoint)"])
        case .refused(let connection, let reason, let message):
            log.info(
                "refused",
                metadata: [
                    "connection": "\(connection.number)", "reason": "\(reason)",
                    "message": "\(Notes.line(message))",
                ])
        }
    }

    /// What a peer wrote, as one short line: nobody writes lines of their own into the log.
    private static func line(_ message: String) -> String {
        String(
            message.unicodeScalars.prefix(200).map {
                $0.properties.generalCategory == .control ? "�" : Character($0)
            })
    }

    private func worker(_ name: String, _ session: UInt64, _ more: Logger.Metadata = [:]) -> Logger.Metadata {
        more.merging(["worker": "\(name)", "session": "\(session)"]) { old, _ in old }
    }
}
