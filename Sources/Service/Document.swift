import Yams

/// A YAML or JSON file, read into nodes that know where they stand.
///
/// Scalars follow the core schema of YAML 1.2: `no`, `on` and `1:30` are strings, and what stands in quotes
/// is one always. JSON is read as the YAML that it is. An empty file is null. Nodes belong to the thread that
/// reads them.
public struct Document {
    /// As errors name it.
    public let file: String
    public let root: DocumentNode

    /// Levels of nesting, aliases followed.
    static let depthMax = 500
    /// Nodes of one document, aliases followed: a few lines of aliases can stand for billions.
    static let nodeCountMax = 20_000_000

    /// Reads `file` (`-`: standard input).
    ///
    /// - Throws: `DocumentError` where the file cannot be read or is not one document of YAML or JSON.
    public static func read(
        file: String, bytesMax: Int = FileBytes.documentBytesMax
    ) throws(DocumentError) -> Document {
        try parse(try FileBytes.read(file, bytesMax: bytesMax), file: FileBytes.name(of: file))
    }

    /// Reads `bytes`; errors name `file`.
    package static func parse(_ bytes: [UInt8], file: String) throws(DocumentError) -> Document {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw DocumentError(
                file: file, line: lineOfInvalidUTF8(in: bytes), path: "", message: "is not UTF-8 text")
        }
        return try parse(text, file: file)
    }

    /// Reads `text`; errors name `file`.
    public static func parse(_ text: String, file: String) throws(DocumentError) -> Document {
        let source = JSONCharacters.asYAML(text)
        try AliasCheck.check(source, file: file)
        let root: Node?
        do {
            root = try Parser(yaml: source, resolver: .basic, encoding: .utf8).singleRoot()
        } catch {
            throw DocumentError(error, in: source, file: file)
        }
        guard let root else { return Document(file: file, root: .empty(file: file)) }
        var nodeCount = 0
        try check(root, depth: 1, nodeCount: &nodeCount, file: file)
        return Document(file: file, root: DocumentNode(root, file: file, path: "", lineOfParent: 1))
    }

    private static func check(
        _ node: Node, depth: Int, nodeCount: inout Int, file: String
    ) throws(DocumentError) {
        nodeCount += 1
        guard depth <= depthMax else { throw tooDeep(file: file, line: node.mark?.line) }
        guard nodeCount <= nodeCountMax else { throw tooLarge(file: file, line: node.mark?.line) }
        switch node {
        case .scalar, .alias: return
        case .sequence(let sequence):
            for child in sequence {
                try check(child, depth: depth + 1, nodeCount: &nodeCount, file: file)
            }
        case .mapping(let mapping):
            for (_, value) in mapping {
                try check(value, depth: depth + 1, nodeCount: &nodeCount, file: file)
            }
        }
    }

    static func tooDeep(file: String, line: Int?) -> DocumentError {
        DocumentError(file: file, line: line, path: "", message: "holds more than \(depthMax) levels deep")
    }

    static func tooLarge(file: String, line: Int?) -> DocumentError {
        DocumentError(
            file: file, line: line, path: "",
            message: "holds more than \(nodeCountMax) values, aliases followed")
    }

    private static func lineOfInvalidUTF8(in bytes: [UInt8]) -> Int {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let index = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }
        return (index ?? 0) + 1
    }
}

extension DocumentError {
    /// From the parser's error.
    init(_ error: any Error, in source: String, file: String) {
        var line: Int?
        let message: String
        switch error {
        case YamlError.scanner(let context, let problem, let mark, _),
            YamlError.parser(let context, let problem, let mark, _),
            YamlError.composer(let context, let problem, let mark, _):
            line = mark.line
            let place = context.map { " (\($0.text), which began in line \($0.mark.line))" } ?? ""
            message =
                DocumentError.plainWords(for: problem, at: mark, in: source)
                ?? "is not valid YAML or JSON: \(problem)\(place)"
        case YamlError.reader(let problem, let offset, _, _):
            line = offset.map { source.prefix($0).count { $0.isNewline } + 1 }
            message = "is not text that YAML allows: \(problem)"
        case YamlError.duplicatedKeysInMapping(let keys, let context):
            line = context.mark.line
            message = "the key \"\(PlainText.beginning(of: keys.first ?? ""))\" is given more than once"
        default:
            message = "cannot be read: \(error)"
        }
        self.init(file: file, line: line, path: "", message: message)
    }

    /// What libyaml says of the commonest mistakes names the mistake to nobody.
    private static func plainWords(for problem: String, at mark: Mark, in source: String) -> String? {
        if problem.contains("another document") { return "holds more than one document; one is read" }
        if problem.contains("nesting level") { return "is nested deeper than anything here is" }
        guard problem.contains("cannot start any token") else { return nil }
        // The end of a line may be "\r\n", which is one character.
        let lines = source.split(
            maxSplits: mark.line, omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        guard lines.indices.contains(mark.line - 1) else { return nil }
        let line = lines[mark.line - 1]
        if line.prefix(while: \.isWhitespace).contains("\t") {
            return "is indented with a tab; YAML wants spaces"
        }
        guard let character = line.dropFirst(mark.column - 1).first else { return nil }
        return "a value cannot begin with '\(character)'; write it in quotes"
    }
}
