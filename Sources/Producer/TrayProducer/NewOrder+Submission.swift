import Crypto
import ProducerCore
import Wire

extension NewOrder {
    /// The order as it travels.
    ///
    /// - Throws: `ProducerError.invalid`, which names the first field outside its limits.
    package func submission() throws(ProducerError) -> Submission {
        let spec = try spec()
        guard items.count <= Limits.orderItemCountMax else {
            throw .invalid("items: \(items.count) of them; an order has at most \(Limits.orderItemCountMax)")
        }
        var messages: [Item] = []
        messages.reserveCapacity(items.count)
        for (index, item) in items.enumerated() {
            do {
                messages.append(try item.message())
            } catch {
                throw .invalid("items[\(index)].\(error.field): \(error.reason)")
            }
        }
        return Submission(
            order: id, spec: spec, items: messages,
            fingerprint: NewOrder.fingerprint(of: spec, items: messages))
    }

    private func spec() throws(ProducerError) -> OrderSpec {
        do {
            var spec = OrderSpec()
            spec.name = try FieldError.check(name, "name", bytesMax: Limits.nameBytesMax)
            spec.key = try FieldError.check(key, "key", bytesMax: Limits.keyBytesMax)
            (spec.failure, spec.tolerated) = try failure.message()
            if let enough {
                let count = try FieldError.check(enough, "enough", in: 1...max(items.count, 1))
                // An order of no items is complete at once, whatever would be enough.
                spec.enough = items.isEmpty ? 0 : UInt32(count)
            }
            if let maxParallel {
                spec.maxParallel = UInt32(
                    try FieldError.check(maxParallel, "max_parallel", in: 1...Int(UInt32.max)))
            }
            switch deadline {
            case .standard: break
            case .none: spec.deadlineMs = 0
            case .after(let duration): spec.deadlineMs = try FieldError.milliseconds(duration, "deadline")
            }
            spec.priority = Int32(try FieldError.check(priority, "priority", in: Limits.priorityRange))
            if let notBefore { spec.notBeforeMs = UInt64(max(notBefore.milliseconds, 0)) }
            return spec
        } catch {
            throw .invalid("\(error.field): \(error.reason)")
        }
    }

    /// SHA-256 of what the order asks for: its limits and its items, however they are cut into pages.
    ///
    /// The key is no part of it: it says which order this is, not what it asks for.
    static func fingerprint(of spec: OrderSpec, items: [Item]) -> [UInt8] {
        var hash = SHA256()
        var content = spec
        content.key = ""
        hash.update(counted: content)
        for item in items { hash.update(counted: item) }
        return Array(hash.finalize())
    }
}

extension SHA256 {
    /// Adds a message behind its byte count, so that no two lists of messages look the same.
    fileprivate mutating func update(counted message: OrderSpec) {
        update(counted: Frames.encode(message)[1])
    }

    fileprivate mutating func update(counted message: Item) { update(counted: Frames.encode(message)[1]) }

    private mutating func update(counted bytes: [UInt8]) {
        withUnsafeBytes(of: UInt64(bytes.count).bigEndian) { update(bufferPointer: $0) }
        update(data: bytes)
    }
}

extension NewOrder.FailureRule {
    fileprivate func message() throws(FieldError) -> (FailurePolicy, UInt32) {
        switch self {
        case .isolate: (.isolate, 0)
        case .failFast: (.failFast, 0)
        case .tolerate(let count):
            (.tolerateCount, UInt32(try FieldError.check(count, "failure", in: 0...Limits.orderItemCountMax)))
        case .tolerateShare(let hundredths):
            (.tolerateShare, UInt32(try FieldError.check(hundredths, "failure", in: 0...10_000)))
        }
    }
}

extension NewItem {
    fileprivate func message() throws(FieldError) -> Item {
        var item = Item()
        item.name = try FieldError.check(name, "name", bytesMax: Limits.nameBytesMax)
        guard Label.isValid(station) else {
            throw FieldError(
                "station",
                "'\(station)' is no station; write 1 to \(Limits.labelBytesMax) letters, digits, '.', '_', '-'"
            )
        }
        item.station = station
        guard payload.data.count <= Limits.contentBytesMax else {
            throw FieldError(
                "payload", "it has \(payload.data.count) bytes; at most \(Limits.contentBytesMax) are taken")
        }
        item.payload = payload
        if let timeout { item.timeoutMs = try FieldError.milliseconds(timeout, "timeout") }
        if let attemptsMax {
            item.attemptsMax = UInt32(
                try FieldError.check(attemptsMax, "max_attempts", in: 1...Limits.attemptsMax))
        }
        return item
    }
}

/// A field outside its limits.
private struct FieldError: Error {
    let field: String
    let reason: String

    init(_ field: String, _ reason: String) {
        self.field = field
        self.reason = reason
    }

    static func check(_ text: String, _ field: String, bytesMax: Int) throws(FieldError) -> String {
        guard text.utf8.count <= bytesMax else {
            throw FieldError(field, "it has \(text.utf8.count) bytes; at most \(bytesMax) are taken")
        }
        return text
    }

    static func check(_ number: Int, _ field: String, in range: ClosedRange<Int>) throws(FieldError) -> Int {
        guard range.contains(number) else {
            throw FieldError(field, "\(number) is not in \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    static func milliseconds(_ duration: Duration, _ field: String) throws(FieldError) -> UInt64 {
        guard duration >= .milliseconds(1) else {
            throw FieldError(field, "\(duration) is too short; at least 1ms is taken")
        }
        return UInt64(duration.milliseconds)
    }
}
