import Service
import Wire

/// A station that a worker serves: what it does there, and how much of it at once.
public struct Station: Sendable {
    /// 1 to 64 letters, digits, '.', '_' and '-'.
    public let name: String
    /// Attempts at once: 1 to 65,536.
    public var capacity: Int
    /// How long one attempt may take here, where its order allows longer.
    public let timeout: Duration?
    public let handler: any Handler

    public init(_ name: String, capacity: Int, timeout: Duration? = nil, handler: any Handler) {
        self.name = name
        self.capacity = capacity
        self.timeout = timeout
        self.handler = handler
    }

    /// What a worker without any configuration serves.
    public static let builtIn = [
        Station("echo", capacity: 100, handler: EchoHandler()),
        Station("sleep", capacity: 100, handler: SleepHandler()),
        Station("fail", capacity: 100, handler: FailHandler()),
    ]
}

/// Reads the `stations` of a worker's configuration.
public enum StationFile {
    public static let key = "stations"

    private enum HandlerName: String, CaseIterable {
        case command, echo, fail, sleep

        var keys: [String] {
            switch self {
            case .command: ["command", "output", "grace"]
            case .echo, .fail, .sleep: []
            }
        }
    }

    /// The stations, whether this worker is to serve them or not, in the order of the file.
    ///
    /// - Throws: `Failure` (`.configuration`) that names file, line and key.
    public static func names(in document: Document) throws(Failure) -> [String] {
        do throws(DocumentError) {
            return try entries(in: document).map(\.key)
        } catch {
            throw Failure(.configuration, error.description)
        }
    }

    /// - Parameter names: of the stations to serve; all where it is `nil`. The others are checked as well, but
    ///   their programs need not be there. Who names some may give them other capacities as well, and so judges
    ///   their sum.
    /// - Returns: What is to be served, in the order of the file.
    /// - Throws: `Failure` (`.configuration`) that names file, line and key.
    public static func stations(
        in document: Document, serving names: Set<String>? = nil
    ) throws(Failure) -> [Station] {
        do throws(DocumentError) {
            var stations: [Station] = []
            for entry in try entries(in: document) {
                let isServed = names?.contains(entry.key) ?? true
                if let station = try station(entry, isServed: isServed), isServed { stations.append(station) }
            }
            guard names == nil else { return stations }
            let capacity = stations.reduce(0) { $0 + $1.capacity }
            guard capacity <= Limits.workerCapacityMax else {
                throw try document.root.mapping().required(key).error(
                    "the capacities add up to \(capacity); a worker has at most \(Limits.workerCapacityMax)")
            }
            return stations
        } catch {
            throw Failure(.configuration, error.description)
        }
    }

    private static func entries(in document: Document) throws(DocumentError) -> [DocumentMapping.Entry] {
        let node = try document.root.mapping().required(key)
        let entries = try node.mapping().entries
        guard (1...Limits.stationCountMax).contains(entries.count) else {
            throw node.error("\(entries.count) stations; write 1 to \(Limits.stationCountMax)")
        }
        return entries
    }

    /// - Returns: `nil` where the program is missing of a station that is not served.
    private static func station(
        _ entry: DocumentMapping.Entry, isServed: Bool
    ) throws(DocumentError) -> Station? {
        guard Label.isValid(entry.key) else {
            throw entry.value.error(
                "\"\(PlainText.beginning(of: entry.key))\" is not a station's name: 1 to 64 letters, "
                    + "digits, '.', '_' and '-'"
            )
        }
        let common = ["handler", "capacity", "timeout"]
        // Without a handler, a key that no handler has is the likelier mistake.
        if try entry.value.mapping()["handler"] == nil {
            _ = try entry.value.mapping(allowing: common + HandlerName.allCases.flatMap(\.keys))
        }
        let name = try handlerName(try entry.value.mapping().required("handler"))
        let mapping = try entry.value.mapping(allowing: common + name.keys)
        let capacity = try mapping["capacity"]?.int(in: 1...Limits.workerCapacityMax) ?? 1
        let timeout = try positive(mapping["timeout"])
        guard let handler = try handler(name, mapping, isServed: isServed) else { return nil }
        return Station(entry.key, capacity: capacity, timeout: timeout, handler: handler)
    }

    private static func handlerName(_ node: DocumentNode) throws(DocumentError) -> HandlerName {
        let text = try node.string()
        guard let name = HandlerName(rawValue: text) else {
            let known = HandlerName.allCases.map(\.rawValue)
            let hint =
                NearestWord.suggestion(for: text, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
            throw node.error(
                "no handler \"\(PlainText.beginning(of: text))\"; known are \(known.joined(separator: ", "))\(hint)"
            )
        }
        return name
    }

    private static func handler(
        _ name: HandlerName, _ mapping: DocumentMapping, isServed: Bool
    ) throws(DocumentError) -> (any Handler)? {
        switch name {
        case .command: try command(mapping, isServed: isServed)
        case .echo: EchoHandler()
        case .fail: FailHandler()
        case .sleep: SleepHandler()
        }
    }

    private static func command(
        _ mapping: DocumentMapping, isServed: Bool
    ) throws(DocumentError) -> CommandHandler? {
        let node = try mapping.required("command")
        var words: [String] = []
        for word in try node.sequence() { words.append(try word.text()) }
        let output = try output(mapping["output"])
        let grace = try positive(mapping["grace"]) ?? CommandHandler.graceDefault
        do {
            return try CommandHandler(words, output: output, grace: grace)
        } catch {
            if case .notFound = error, !isServed { return nil }
            throw node.error(error.description)
        }
    }

    private static func output(_ node: DocumentNode?) throws(DocumentError) -> CommandHandler.Output {
        guard let node else { return .plain }
        let text = try node.string()
        guard let output = CommandHandler.Output(rawValue: text) else {
            throw node.error("no output \"\(PlainText.beginning(of: text))\"; known are plain, json")
        }
        return output
    }

    private static func positive(_ node: DocumentNode?) throws(DocumentError) -> Duration? {
        guard let node else { return nil }
        let duration = try node.duration()
        guard duration > .zero else { throw node.error("no time at all; write 1ms or more") }
        return duration
    }
}
