import Synchronization
import TrayProducer
import Wire

/// How far a submission has come, for whom it interrupts.
final class SubmissionProgress: Sendable {
    /// More ids than this are not named.
    private static let namedCountMax = 20

    private let orders: [NewOrder]
    private let producer: Producer
    private let accepted = Mutex<[String]>([])

    init(_ orders: [NewOrder], to producer: Producer) {
        self.orders = orders
        self.producer = producer
    }

    func add(_ receipt: Receipt) { accepted.withLock { $0.append(receipt.idText) } }

    /// What became of the orders, when it is interrupted now.
    var interrupted: String {
        let accepted = accepted.withLock { $0 }
        guard producer.hasBeenAnswered else {
            return "interrupted; no assembler had answered at \(producer.endpoint), nothing was submitted"
        }
        if accepted.count == orders.count { return "interrupted; accepted and going on: \(list(accepted))" }
        if orders.count == 1 {
            // A known key has an order of another id.
            return orders[0].key.isEmpty
                ? "interrupted while submitting; whether the order was accepted says: "
                    + "producer status \(orders[0].id)"
                : "interrupted while submitting; submit it again with the same key to see its order"
        }
        let known =
            accepted.isEmpty ? "none is known to be accepted" : "accepted and going on: \(list(accepted))"
        return "interrupted while submitting \(orders.count) orders; \(known); all that were: producer list"
    }

    private func list(_ ids: [String]) -> String {
        let named = ids.prefix(SubmissionProgress.namedCountMax).joined(separator: ", ")
        let moreCount = ids.count - SubmissionProgress.namedCountMax
        return moreCount > 0 ? "\(named) and \(moreCount) more" : named
    }
}
