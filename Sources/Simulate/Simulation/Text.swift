import AssemblerCore
import Wire
import WorkerCore

// Messages, changes and notes as a reader of traces sees them.

extension WorkerMessage {
    var text: String {
        switch body {
        case .hello(let hello):
            "hello, runs \(hello.running.map(\.lease.text)), holds \(hello.held.map(\.lease.text))"
        case .heartbeat: "heartbeat"
        case .credit(let report):
            "credit" + report.stations.map { " \($0.station)=\($0.capacity)" }.joined()
                + (report.draining ? ", draining" : "")
        case .started(let report): "started \(report.leases.map(\.text).joined(separator: " "))"
        case .results(let batch): batch.results.map(\.text).joined(separator: ", ")
        case .farewell: "farewell"
        case nil: "nothing that is known"
        }
    }
}

extension ItemResult {
    var text: String {
        let what =
            switch ending {
            case .done: "done"
            case .failed(let failure): failure.permanent ? "failed for good" : "failed"
            case .returned(let returned): "returned \(returned.reason)"
            case nil: "ended somehow"
            }
        return "\(lease.text) \(what)"
    }
}

extension KitchenMessage {
    var text: String {
        switch body {
        case .welcome(let welcome): "welcome to session \(welcome.session)"
        case .refusal(let refusal): "refusal: \(refusal.message)"
        case .leases(let batch):
            "leases "
                + batch.leases.map { "\($0.lease.text) of \(short(OrderID($0.order)))[\($0.index)]" }
                .joined(separator: ", ")
        case .acks(let batch):
            "acks " + batch.acks.map { "\($0.lease.text) \($0.fate)" }.joined(separator: ", ")
        case .revokes(let batch):
            "revokes " + batch.revokes.map { "\($0.lease.text) \($0.reason)" }.joined(separator: ", ")
        case .heartbeat: "heartbeat"
        case nil: "nothing that is known"
        }
    }
}

extension ProducerMessage {
    var text: String {
        switch body {
        case .hello: "hello"
        case .submit(let submit):
            "submits \(short(OrderID(submit.order))): \(submit.items.count) of \(submit.itemCount) items"
        case .page(let page): "page of \(short(OrderID(page.order))) from \(page.firstIndex)"
        case .watch(let watch): "watches \(short(OrderID(watch.order))) after \(watch.afterLanding)"
        case .cancel(let cancel): "cancels \(short(OrderID(cancel.order)))"
        case .tray(let tray): "asks for \(short(OrderID(tray.order)))"
        case .list: "asks for orders"
        case .workers: "asks for workers"
        case .stations: "asks for stations"
        case .ping: "ping"
        case nil: "nothing that is known"
        }
    }
}

extension OrdersMessage {
    var text: String {
        switch body {
        case .welcome: "welcome"
        case .refusal(let refusal): "refusal: \(refusal.message)"
        case .receipt(let receipt):
            "receipt for \(short(OrderID(receipt.order))), \(receipt.status.text)\(receipt.known ? ", known" : "")"
        case .pageTaken(let taken): "has \(taken.nextIndex) items of \(short(OrderID(taken.order)))"
        case .outcomes(let batch):
            "outcomes \(batch.outcomes.map { Int($0.landing) }) of \(short(OrderID(batch.summary.order))), "
                + batch.summary.status.text
        case .tray(let page): "tray of \(short(OrderID(page.summary.order))), \(page.summary.status.text)"
        case .list(let list): "\(list.orders.count) orders"
        case .workers(let list): "\(list.workers.count) workers"
        case .stations(let list): "\(list.stations.count) stations"
        case .pong: "pong"
        case nil: "nothing that is known"
        }
    }
}

extension Change {
    var text: String {
        switch self {
        case .accepted(let order): "order \(order.id.short) of \(order.itemCount) items"
        case .page(let order, let first, let items): "\(items.count) items of \(order.short) from \(first)"
        case .reopened(let order): "\(order.id.short) is opened again"
        case .sealed(let order): "\(order.short) is accepted"
        case .abandoned(let order): "\(order.short) is deleted"
        case .attemptFailed(let order, let index, let record):
            "\(order.short)[\(index)] failed under \(record.lease.text)"
        case .attemptLost(let order, let index, let record):
            "\(order.short)[\(index)] lost under \(record.lease.text)\(record.isAlone ? ", alone" : "")"
        case .lossTakenBack(let order, let index, let lease, _):
            "\(order.short)[\(index)] not lost under \(lease.text)"
        case .settled(let order, let outcomes):
            outcomes.map { "\(order.short)[\($0.index)] \($0.status.text), landing \($0.landing)" }
                .joined(separator: "; ")
        case .cancelRequested(let order, _): "\(order.short) is to be cancelled"
        case .served(let order, let record): "\(order.short) is served: \(record.status.text)"
        case .elapsed(let order, let elapsed): "\(order.short) took \(elapsed)"
        }
    }
}

extension Note {
    var text: String { "\(self)" }
}

extension HandlerOutcome {
    var text: String {
        switch self {
        case .done: "done"
        case .failed(let message, let isPermanent): "failed\(isPermanent ? " for good" : ""): \(message)"
        }
    }
}

extension OrderID {
    /// The end of it: enough to tell the orders of a run apart.
    var short: String { "…" + description.suffix(4) }
}

private func short(_ order: OrderID?) -> String { order?.short ?? "no order" }
