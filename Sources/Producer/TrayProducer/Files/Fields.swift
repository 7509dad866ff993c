import Service
import Wire

/// The fields that orders, items and stations have in common, held to the contract's limits.
enum Fields {
    static func name(_ node: DocumentNode) throws(DocumentError) -> String {
        try text(node, bytesMax: Limits.nameBytesMax)
    }

    static func text(_ node: DocumentNode, bytesMax: Int) throws(DocumentError) -> String {
        let text = try node.string()
        guard text.utf8.count <= bytesMax else {
            throw node.error("\(text.utf8.count) bytes are too long; \(bytesMax) are allowed")
        }
        return text
    }

    static func station(_ node: DocumentNode) throws(DocumentError) -> String {
        let text = try node.string()
        guard Label.isValid(text) else { throw node.error(stationError(text)) }
        return text
    }

    static func stationError(_ text: String) -> String {
        "\"\(PlainText.beginning(of: text))\" names no station: 1 to \(Limits.labelBytesMax) letters, "
            + "digits, '.', '_', '-'"
    }

    /// How often, how many: from 1 up.
    static func count(_ node: DocumentNode) throws(DocumentError) -> Int {
        try node.int(in: 1...Limits.orderItemCountMax)
    }

    static func attempts(_ node: DocumentNode) throws(DocumentError) -> Int {
        try node.int(in: 1...Limits.attemptsMax)
    }

    /// 1 ms at least: less is 0 on the wire, which says something else.
    static func duration(_ node: DocumentNode) throws(DocumentError) -> Duration {
        let duration = try node.duration()
        guard duration >= .milliseconds(1) else { throw node.error("a time of less than 1ms is none") }
        return duration
    }
}

extension DocumentMapping {
    /// The value of `key`, read; `nil` where the key is missing.
    func read<Value>(
        _ key: String, _ read: (DocumentNode) throws(DocumentError) -> Value
    ) throws(DocumentError) -> Value? {
        guard let node = self[key] else { return nil }
        return try read(node)
    }
}
