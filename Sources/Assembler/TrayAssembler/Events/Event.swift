import AssemblerCore
import Foundation
import Wire

/// Something that has happened, for whoever subscribes: docs/protocol.md lists topics and fields.
struct Event {
    /// The first frame of its message; what subscriptions are prefixes of.
    enum Topic: String, CaseIterable {
        case orderAccepted = "order.accepted"
        case orderServed = "order.served"
        case orderAbandoned = "order.abandoned"
        case itemLeased = "item.leased"
        case itemSettled = "item.settled"
        case attemptFailed = "attempt.failed"
        case attemptLost = "attempt.lost"
        case attemptRegained = "attempt.regained"
        case workerJoined = "worker.joined"
        case workerLeft = "worker.left"
        case workerLost = "worker.lost"
        case workerOnProbation = "worker.on_probation"
        case workerTrusted = "worker.trusted"
    }

    /// What it says of the order, item or worker; what does not apply is left out.
    struct Fields: Encodable {
        var order: String?
        var index: Int?
        var items: Int?
        var landing: Int?
        var station: String?
        var worker: String?
        var status: String?
        var attempt: Int?
        var attempts: Int?
        var error: ItemFailure?
        var elapsedSeconds: Double?
        var counts: Counts?
        var leases: Int?
        var why: String?
        var failuresInRow: Int?
    }

    struct ItemFailure: Encodable {
        let kind: String
        let message: String
    }

    struct Counts: Encodable {
        let done: Int
        let failed: Int
        let cancelled: Int
        let expired: Int
        let poisoned: Int
    }

    let topic: Topic
    /// The order's id, or the worker's name.
    let subject: String
    let fields: Fields
}

extension Event {
    private static func ofOrder(_ topic: Topic, _ order: OrderID, _ fill: (inout Fields) -> Void) -> Event {
        var fields = Fields(order: order.description)
        fill(&fields)
        return Event(topic: topic, subject: order.description, fields: fields)
    }

    private static func ofWorker(
        _ topic: Topic, _ worker: String, _ fill: (inout Fields) -> Void = { _ in }
    ) -> Event {
        var fields = Fields(worker: worker)
        fill(&fields)
        return Event(topic: topic, subject: worker, fields: fields)
    }

    /// What a fact says, now that it is committed.
    static func of(_ change: Change) -> [Event] {
        switch change {
        case .attemptFailed(let order, let index, let record):
            [attempt(.attemptFailed, order, index, record)]
        case .attemptLost(let order, let index, let record):
            [attempt(.attemptLost, order, index, record)]
        case .lossTakenBack(let order, let index, _, _):
            [ofOrder(.attemptRegained, order) { $0.index = index }]
        case .settled(let order, let outcomes):
            outcomes.map { settled(order, $0) }
        case .served(let order, let record):
            [ofOrder(.orderServed, order) { served(record, &$0) }]
        case .abandoned(let order):
            [ofOrder(.orderAbandoned, order) { _ in }]
        case .accepted, .page, .reopened, .sealed, .cancelRequested, .elapsed:
            []
        }
    }

    private static func attempt(
        _ topic: Topic, _ order: OrderID, _ index: Int, _ record: AttemptRecord
    ) -> Event {
        ofOrder(topic, order) {
            $0.index = index
            $0.attempt = record.attempt
            $0.worker = record.worker
            if topic == .attemptFailed { $0.error = failure(record.error) }
        }
    }

    private static func settled(_ order: OrderID, _ outcome: Outcome) -> Event {
        ofOrder(.itemSettled, order) {
            $0.index = Int(outcome.index)
            $0.landing = Int(outcome.landing)
            $0.status = outcome.status.text
            $0.attempts = Int(outcome.attempts)
            $0.worker = outcome.worker.isEmpty ? nil : outcome.worker
            $0.error = outcome.hasError ? failure(outcome.error) : nil
        }
    }

    private static func failure(_ error: ItemError) -> ItemFailure {
        ItemFailure(kind: error.kind.text, message: error.message)
    }

    private static func served(_ record: ServedRecord, _ fields: inout Fields) {
        let counts = record.counts
        fields.status = record.status.text
        fields.elapsedSeconds = Double(record.elapsed.microseconds) / 1e6
        fields.counts = Counts(
            done: counts.done, failed: counts.failed, cancelled: counts.cancelled, expired: counts.expired,
            poisoned: counts.poisoned)
    }

    /// What a note says, where it says more than the facts do.
    static func of(_ note: Note) -> Event? {
        switch note {
        case .workerJoined(let name, _, _): ofWorker(.workerJoined, name)
        case .workerLeft(let name, _): ofWorker(.workerLeft, name)
        case .workerLost(let name, _, let leases, let why):
            ofWorker(.workerLost, name) {
                $0.leases = leases
                $0.why = "\(why)"
            }
        case .probationBegan(let worker, let station, let failures, let message):
            ofWorker(.workerOnProbation, worker) {
                $0.station = station
                $0.failuresInRow = failures
                $0.why = message
            }
        case .probationEnded(let worker, let station):
            ofWorker(.workerTrusted, worker) { $0.station = station }
        case .orderAccepted, .orderServed, .orderAbandoned, .attemptFailed, .attemptTimedOut, .itemPoisoned,
            .examinationBegan, .lateResult, .malformed, .handshakeFailed, .refused:
            nil
        }
    }

    static func accepted(_ order: OrderID, itemCount: Int) -> Event {
        ofOrder(.orderAccepted, order) { $0.items = itemCount }
    }

    static func of(_ grant: Grant, worker: String) -> Event {
        ofOrder(.itemLeased, grant.order) {
            $0.index = grant.index
            $0.station = grant.station
            $0.attempt = grant.attempt
            $0.worker = worker
        }
    }
}

// What would be told, for counting: nothing is put together for it.
extension Event {
    /// - Returns: the topic of the events of a change, and how many they are.
    static func topic(of change: Change) -> (topic: Topic, count: Int)? {
        switch change {
        case .attemptFailed: (.attemptFailed, 1)
        case .attemptLost: (.attemptLost, 1)
        case .lossTakenBack: (.attemptRegained, 1)
        case .settled(_, let outcomes): (.itemSettled, outcomes.count)
        case .served: (.orderServed, 1)
        case .abandoned: (.orderAbandoned, 1)
        case .accepted, .page, .reopened, .sealed, .cancelRequested, .elapsed: nil
        }
    }

    static func topic(of action: Action) -> (topic: Topic, count: Int)? {
        switch action {
        case .lease: (.itemLeased, 1)
        case .note(.orderAccepted): (.orderAccepted, 1)
        case .note(let note): of(note).map { ($0.topic, 1) }
        case .tellWorker, .answer, .answerOutcomes, .answerTray, .answerList, .forget: nil
        }
    }
}
