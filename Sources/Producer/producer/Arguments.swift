import ArgumentParser
import Service
import TrayProducer
import Wire

/// A length of time on the command line: `250ms`, `3s`, `10m`.
struct TimeSpan: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        guard let duration = DurationText.parse(argument), duration >= .milliseconds(1) else { return nil }
        self.duration = duration
    }
}

/// `none` or a length of time.
struct DeadlineArgument: ExpressibleByArgument {
    let deadline: NewOrder.Deadline

    init?(argument: String) {
        if argument == "none" {
            deadline = .none
        } else if let span = TimeSpan(argument: argument) {
            deadline = .after(span.duration)
        } else {
            return nil
        }
    }
}

/// The 26 characters of an order's id.
struct OrderArgument: ExpressibleByArgument {
    let id: OrderID

    init?(argument: String) {
        guard let id = OrderID(argument) else { return nil }
        self.id = id
    }
}

/// The state of an order, as reports write it.
struct StatusArgument: ExpressibleByArgument {
    let status: OrderStatus

    init?(argument: String) {
        guard let status = OrderStatus.allCases.first(where: { $0.text == argument }) else { return nil }
        self.status = status
    }

    static var allValueStrings: [String] { OrderStatus.allCases.map(\.text) }
}
