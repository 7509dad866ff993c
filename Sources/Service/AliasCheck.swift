import CYaml

/// Judges the aliases of a document before anybody follows them.
///
/// A few lines of aliases can stand for billions of values, and a long chain of them nests deeper than a thread's
/// stack. Whoever builds the tree, hashes its keys or gives it up again follows them all; reading the events
/// of the document, one after the other, follows none.
struct AliasCheck {
    /// What an anchor stands for, aliases followed.
    private struct Extent {
        var nodeCount = 1
        var depth = 1

        static let scalar = Extent()
    }

    private struct Open {
        var extent = Extent()
        let anchor: String?
        let isMapping: Bool
        /// Keys and values of a mapping take turns.
        var childCount = 0
    }

    private let file: String
    private var open: [Open] = []
    private var anchors: [String: Extent] = [:]

    /// - Throws: `DocumentError` where the document, aliases followed, has more than `Document.nodeCountMax`
    ///   values or is nested deeper than `Document.depthMax`, or where a key is no scalar.
    static func check(_ text: String, file: String) throws(DocumentError) {
        // Without both there is no alias, and what is written out is judged when it is read.
        guard text.utf8.contains(UInt8(ascii: "&")), text.utf8.contains(UInt8(ascii: "*")) else { return }
        var (text, check) = (text, AliasCheck(file: file))
        let result = text.withUTF8 { bytes -> Result<Void, DocumentError> in
            do throws(DocumentError) { return .success(try check.read(bytes)) } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private init(file: String) { self.file = file }

    /// Ends quietly at what is not YAML: whoever parses the text says so.
    private mutating func read(_ text: UnsafeBufferPointer<UInt8>) throws(DocumentError) {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else { return }
        defer { yaml_parser_delete(&parser) }
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(&parser, text.baseAddress, text.count)
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(&parser, &event) == 1 else { return }
            defer { yaml_event_delete(&event) }
            guard event.type != YAML_STREAM_END_EVENT else { return }
            try take(event)
        }
    }

    private mutating func take(_ event: yaml_event_t) throws(DocumentError) {
        let line = Int(event.start_mark.line) + 1
        switch event.type {
        case YAML_SCALAR_EVENT:
            if let anchor = AliasCheck.name(event.data.scalar.anchor) { anchors[anchor] = .scalar }
            try add(.scalar, line: line)
        case YAML_ALIAS_EVENT:
            let anchor = AliasCheck.name(event.data.alias.anchor) ?? ""
            // The parser refuses an alias of nothing.
            try add(anchors[anchor] ?? .scalar, line: line)
        case YAML_SEQUENCE_START_EVENT:
            open.append(Open(anchor: AliasCheck.name(event.data.sequence_start.anchor), isMapping: false))
        case YAML_MAPPING_START_EVENT:
            open.append(Open(anchor: AliasCheck.name(event.data.mapping_start.anchor), isMapping: true))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
            guard let closed = open.popLast() else { return }
            if let anchor = closed.anchor { anchors[anchor] = closed.extent }
            try add(closed.extent, line: line)
        default: return
        }
    }

    private mutating func add(_ child: Extent, line: Int) throws(DocumentError) {
        guard var parent = open.popLast() else { return }
        if parent.isMapping, parent.childCount % 2 == 0, child.depth > 1 {
            throw DocumentError(file: file, line: line, path: "", message: "a key must be a string")
        }
        parent.childCount += 1
        parent.extent.nodeCount += child.nodeCount
        parent.extent.depth = max(parent.extent.depth, child.depth + 1)
        guard parent.extent.nodeCount <= Document.nodeCountMax else {
            throw Document.tooLarge(file: file, line: line)
        }
        guard parent.extent.depth + open.count <= Document.depthMax else {
            throw Document.tooDeep(file: file, line: line)
        }
        open.append(parent)
    }

    private static func name(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }
}
