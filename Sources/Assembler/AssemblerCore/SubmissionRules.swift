import Wire

/// What makes a submission invalid. Each complaint names the field, and the item where it is one's.
enum SubmissionRules {
    static func complaint(about submit: Submit) -> String? {
        let spec = submit.spec
        guard submit.itemCount <= Limits.orderItemCountMax else {
            return
                "item_count: an order has at most \(Limits.orderItemCountMax) items, not \(submit.itemCount)"
        }
        guard Limits.fingerprintBytesRange.contains(submit.fingerprint.count) else {
            return "fingerprint: has \(Limits.fingerprintBytesRange.lowerBound) to "
                + "\(Limits.fingerprintBytesRange.upperBound) bytes, not \(submit.fingerprint.count)"
        }
        guard spec.name.utf8.count <= Limits.nameBytesMax else {
            return "name: has at most \(Limits.nameBytesMax) bytes"
        }
        guard !spec.key.utf8.contains(0) else { return "key: has a NUL character" }
        guard spec.key.utf8.count <= Limits.keyBytesMax else {
            return "key: has at most \(Limits.keyBytesMax) bytes"
        }
        guard spec.enough <= submit.itemCount else {
            return "enough: \(spec.enough) of \(submit.itemCount) items can never be done"
        }
        guard Limits.priorityRange.contains(Int(spec.priority)) else {
            return "priority: is \(Limits.priorityRange.lowerBound) to \(Limits.priorityRange.upperBound), "
                + "not \(spec.priority)"
        }
        if case .UNRECOGNIZED(let value) = spec.failure {
            return "failure: policy \(value) is not known to this assembler"
        }
        guard spec.failure != .tolerateShare || spec.tolerated <= 10_000 else {
            return "tolerated: is at most 10000 hundredths of a percent, not \(spec.tolerated)"
        }
        return nil
    }

    /// - Parameter openSlots: how many items the order still lacks.
    static func complaint(about items: [Item], from firstIndex: Int, openSlots: Int) -> String? {
        guard items.count <= Limits.pageItemCountMax else {
            return "a page has at most \(Limits.pageItemCountMax) items, not \(items.count)"
        }
        guard items.count <= openSlots else {
            return "items: \(firstIndex + items.count) came for an order of \(firstIndex + openSlots)"
        }
        for offset in items.indices {
            // Items in a row are often for the same station, which is well named then.
            let isNamed = offset > 0 && isSameLabel(items[offset - 1].station, items[offset].station)
            if let complaint = complaint(about: items, at: offset, isStationValid: isNamed) {
                return "items[\(firstIndex + offset)].\(complaint)"
            }
        }
        return nil
    }

    /// By their bytes: to Swift strings are equal that look the same, and `K` has a double outside of ASCII, of three
    /// bytes.
    private static func isSameLabel(_ label: String, _ other: String) -> Bool {
        label == other && label.utf8.count == other.utf8.count
    }

    // Asked where it stands: an item of its own would be a copy.
    private static func complaint(
        about items: [Item], at index: Int, isStationValid: Bool
    ) -> String? {
        guard isStationValid || Label.isValid(items[index].station) else {
            return
                "station: '\(items[index].station.prefix(80))' is not 1 to \(Limits.labelBytesMax) letters, digits, "
                + "'.', '_' and '-'"
        }
        guard items[index].name.utf8.count <= Limits.nameBytesMax else {
            return "name: has at most \(Limits.nameBytesMax) bytes"
        }
        guard items[index].payload.data.count <= Limits.contentBytesMax else {
            return
                "payload: has \(items[index].payload.data.count) bytes; at most \(Limits.contentBytesMax) are taken"
        }
        guard !items[index].hasTimeoutMs || items[index].timeoutMs >= 1 else {
            return "timeout: is at least 1 ms"
        }
        guard !items[index].hasAttemptsMax || (1...Limits.attemptsMax).contains(Int(items[index].attemptsMax))
        else {
            return "max_attempts: is 1 to \(Limits.attemptsMax), not \(items[index].attemptsMax)"
        }
        return nil
    }
}
