import Yams

/// A value in a document, with its place.
///
/// Accessors throw a `DocumentError` that names file, line and field, what stands there and what would be
/// right.
public struct DocumentNode {
    public let file: String
    /// From 1.
    public let line: Int
    /// Such as `items[2].timeout`; empty for the root.
    public let path: String
    let content: Node

    init(_ content: Node, file: String, path: String, lineOfParent: Int) {
        self.content = content
        self.file = file
        self.path = path
        line = content.mark?.line ?? lineOfParent
    }

    /// The root of a file without content.
    static func empty(file: String) -> DocumentNode {
        DocumentNode(Node("", .implicit, .plain), file: file, path: "", lineOfParent: 1)
    }

    /// An error at this place, for checks that only the caller can make.
    public func error(_ message: String) -> DocumentError {
        DocumentError(file: file, line: line, path: path, message: message)
    }

    /// Nothing stands here: `null`, `~`, or a key without a value.
    public var isNull: Bool {
        guard case .scalar(let scalar) = content else { return false }
        return (try? meaning(of: scalar)) == .null  // an unknown tag is not null
    }

    /// The text of a string. Numbers and words such as `true` have to stand in quotes.
    public func string() throws(DocumentError) -> String {
        let scalar = try scalar(as: "a string")
        guard try meaning(of: scalar) == .string else {
            throw isNull ? wrong("a string") : wrong("a string; write it in quotes: \(seen)")
        }
        return scalar.string
    }

    /// A string, number or truth value as it is written.
    public func text() throws(DocumentError) -> String {
        let scalar = try scalar(as: "a string or a number")
        guard try meaning(of: scalar) != .null else { throw wrong("a string or a number") }
        return scalar.string
    }

    /// A whole number in `range`.
    public func int(in range: ClosedRange<Int> = .min ... .max) throws(DocumentError) -> Int {
        let scalar = try scalar(as: "a whole number")
        guard try meaning(of: scalar) == .integer else { throw wrong("a whole number") }
        guard let value = CoreScalar.int(scalar.string), range.contains(value) else {
            throw error("\(seen) is out of range; write \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A finite number.
    public func double() throws(DocumentError) -> Double {
        let scalar = try scalar(as: "a number")
        let meaning = try meaning(of: scalar)
        guard meaning == .integer || meaning == .decimal,
            let value = CoreScalar.jsonNumber(scalar.string).flatMap(Double.init), value.isFinite
        else { throw wrong("a number") }
        return value
    }

    /// `true` or `false`.
    public func bool() throws(DocumentError) -> Bool {
        let scalar = try scalar(as: "true or false")
        guard case .bool(let value) = try meaning(of: scalar) else {
            throw wrong("true or false")
        }
        return value
    }

    /// A number and a unit: `250ms`, `3s`, `10m`, `24h`, `7d`.
    public func duration() throws(DocumentError) -> Duration {
        let scalar = try scalar(as: DurationText.requirement)
        guard let value = DurationText.parse(scalar.string) else {
            throw isNull
                ? wrong(DurationText.requirement) : error(DurationText.complaint(about: scalar.string))
        }
        return value
    }

    /// The elements of a list.
    public func sequence() throws(DocumentError) -> [DocumentNode] {
        guard case .sequence(let sequence) = content else { throw wrong("a list") }
        try refuseTag(sequence.tag, known: .seq)
        return sequence.enumerated().map { index, element in
            DocumentNode(element, file: file, path: "\(path)[\(index)]", lineOfParent: line)
        }
    }

    /// The entries of a mapping, whatever their keys.
    public func mapping() throws(DocumentError) -> DocumentMapping {
        guard case .mapping(let mapping) = content else {
            throw wrong("a mapping of keys to values")
        }
        try refuseTag(mapping.tag, known: .map)
        var entries: [DocumentMapping.Entry] = []
        for (key, value) in mapping {
            let keyLine = key.mark?.line ?? line
            guard case .scalar(let scalar) = key else {
                throw DocumentError(file: file, line: keyLine, path: path, message: "a key must be a string")
            }
            let name = PlainText.beginning(of: scalar.string)
            let valuePath = path.isEmpty ? name : "\(path).\(name)"
            let node = DocumentNode(value, file: file, path: valuePath, lineOfParent: keyLine)
            entries.append(DocumentMapping.Entry(key: scalar.string, line: keyLine, value: node))
        }
        return DocumentMapping(node: self, entries: entries)
    }

    /// The entries of a mapping that may have these keys only; the error for another names the nearest of
    /// them.
    public func mapping(allowing keys: [String]) throws(DocumentError) -> DocumentMapping {
        let mapping = try mapping()
        for entry in mapping.entries where !keys.contains(entry.key) {
            let hint =
                NearestWord.suggestion(for: entry.key, among: keys).map { "did you mean \"\($0)\"?" }
                ?? "known are \(keys.joined(separator: ", "))"
            throw DocumentError(
                file: file, line: entry.line, path: path,
                message: "unknown key \"\(PlainText.beginning(of: entry.key))\"; \(hint)")
        }
        return mapping
    }

    /// How errors name what stands here.
    var seen: String {
        switch content {
        case .sequence: "a list"
        case .mapping: "a mapping"
        case .scalar(let scalar): "\"\(PlainText.beginning(of: scalar.string))\""
        case .alias: "an alias"
        }
    }

    /// What a scalar means: its tag decides, then its quotes, then the core schema.
    func meaning(of scalar: Node.Scalar) throws(DocumentError) -> CoreScalar {
        try refuseTag(scalar.tag, known: .str)
        let isPlain = scalar.style == .plain || scalar.style == .any
        return isPlain && scalar.tag.rawValue.isEmpty ? CoreScalar(scalar.string) : .string
    }

    private func wrong(_ requirement: String) -> DocumentError {
        error(isNull ? "is empty; it has to be \(requirement)" : "\(seen) is not \(requirement)")
    }

    private func scalar(as requirement: String) throws(DocumentError) -> Node.Scalar {
        guard case .scalar(let scalar) = content else { throw wrong(requirement) }
        return scalar
    }

    private func refuseTag(_ tag: Tag, known: Tag.Name) throws(DocumentError) {
        let name = tag.rawValue
        guard name.isEmpty || name == known.rawValue || name == Tag.Name.nonSpecific.rawValue else {
            throw error("the tag \(PlainText.beginning(of: name)) is not known here; leave it away")
        }
    }
}

/// The entries of a mapping, in the order in which they are written.
public struct DocumentMapping {
    public struct Entry {
        public let key: String
        /// Where the key stands.
        public let line: Int
        public let value: DocumentNode
    }

    /// The mapping itself.
    public let node: DocumentNode
    public let entries: [Entry]

    /// The value of `key`; `nil` where the key is missing.
    public subscript(key: String) -> DocumentNode? {
        entries.first { $0.key == key }?.value
    }

    /// The value of `key`, which has to be there.
    public func required(_ key: String) throws(DocumentError) -> DocumentNode {
        guard let value = self[key] else { throw node.error("the key \"\(key)\" is missing") }
        return value
    }
}
