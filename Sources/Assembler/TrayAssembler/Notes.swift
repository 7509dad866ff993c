import AssemblerCore
import Glibc
import Logging
import Wire
import ZeroMQ

/// Writes what the core notes into the log: one line per thing that an operator would want to know.
struct Notes {
    private let log: Logger
    private var doors: DoorLog
    private var descriptors = Descriptors()

    init(log: Logger) {
        self.log = log
        doors = DoorLog(log: log)
    }

    /// When `tick` wants to be called at the latest.
    var nextDeadline: Instant? { Instant.earliest(doors.nextDeadline, descriptors.nextDeadline) }

    mutating func tick(now: Instant) {
        doors.tick(now: now)
        if let code = descriptors.look(now: now) { writeShortage(code, now: now) }
    }

    /// A connection that came to nothing at a door. How far it gets is a race, so that is no part of the event.
    mutating func write(_ stranger: Stranger, at door: DoorName, now: Instant) {
        let (level, why): (Logger.Level, String) =
            switch stranger.failure {
            case .connectionLost?: (.info, "it ended in its handshake")
            case .protocolViolated?: (.warning, "it does not speak ZMTP 3, or is the wrong kind of socket")
            case .notAuthenticated?: (.warning, "it could not authenticate")
            case nil: (.info, "it was closed before any message")
            }
        doors.tell(
            DoorEvent(
                message: "connection of a stranger", host: stranger.host, door: "\(door)",
                what: "it came to nothing"),
            level: level, details: ["why": "\(why)"], now: now)
    }

    private mutating func writeShortage(_ code: Int32, now: Instant) {
        doors.tell(
            DoorEvent(
                message: "connections cannot be taken", host: "any", door: "any",
                what: "\(String(cString: strerror(code))); raise the limit of open files (ulimit -n)"),
            level: .error, now: now)
    }

    /// - Parameter place: where the connection is that the note is about.
    mutating func write(_ note: Note, at place: DoorPlace?, now: Instant) {
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
                "order abandoned: half of it is there, and no page came for a minute",
                metadata: ["order": "\(order)"])
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
            doors.tell(
                DoorEvent(
                    message: "message not understood", host: place?.host ?? Callers.unknownHost,
                    door: "\(endpoint)",
                    what: "it is not of the contract"),
                details: [
                    "connection": "\(connection.map { "\($0.number)" } ?? "unknown")",
                    "error": "\(Notes.line(message))",
                ], now: now)
        // The door knows who it was, and has told of it.
        case .handshakeFailed: break
        case .refused(let connection, let reason, let message):
            doors.tell(
                DoorEvent(
                    message: "refused", host: place?.host ?? Callers.unknownHost,
                    door: place.map { "\($0.door)" } ?? "unknown", what: "\(reason)"),
                level: .info,
                details: ["connection": "\(connection.number)", "message": "\(Notes.line(message))"], now: now
            )
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

/// The other end of a connection.
struct DoorPlace {
    let host: String
    let door: DoorName
}

extension Note {
    /// The connection that it is about, where it may be a stranger's.
    var connection: ConnectionID? {
        if case .malformed(let connection, _, _) = self { return connection }
        if case .refused(let connection, _, _) = self { return connection }
        return nil
    }
}
