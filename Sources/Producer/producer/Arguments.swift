import ArgumentParser
import Service
import TrayProducer
import Wire

/// What stands on the command line, read; errors say what would be right.
enum Arguments {
    static func order(_ text: String) throws -> OrderID {
        guard let id = OrderID(text) else {
            throw ValidationError("an order's id has 26 letters and digits; 'producer list' shows them")
        }
        return id
    }

    static func status(_ text: String) throws -> OrderStatus {
        guard let status = OrderStatus.allCases.first(where: { $0.text == text }) else {
            throw ValidationError("write one of \(statusTexts.joined(separator: ", "))")
        }
        return status
    }

    static var statusTexts: [String] { OrderStatus.allCases.map(\.text) }

    /// 1 ms at least: less is 0 on the wire, which says something else.
    static func duration(_ text: String) throws -> Duration {
        guard let duration = DurationText.parse(text) else {
            throw ValidationError(DurationText.complaint(about: text))
        }
        guard duration >= .milliseconds(1) else { throw ValidationError("a time of less than 1ms is none") }
        return duration
    }

    static func deadline(_ text: String) throws -> NewOrder.Deadline {
        text == "none" ? .none : .after(try duration(text))
    }

    /// How often, how many: from 1 up.
    static func count(_ text: String) throws -> Int {
        guard let count = Int(text), (1...Limits.orderItemCountMax).contains(count) else {
            throw ValidationError("write a whole number from 1 to \(Limits.orderItemCountMax)")
        }
        return count
    }

    static func station(_ text: String) throws -> String {
        guard Label.isValid(text) else {
            throw ValidationError("write 1 to \(Limits.labelBytesMax) letters, digits, '.', '_' or '-'")
        }
        return text
    }

    static func key(_ text: String) throws -> String {
        guard (1...Limits.keyBytesMax).contains(text.utf8.count) else {
            throw ValidationError("write 1 to \(Limits.keyBytesMax) bytes")
        }
        return text
    }
}
