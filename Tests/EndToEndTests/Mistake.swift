import Foundation
import Testing

/// Something wrong that a user may give to one of the executables, and what is said of it.
struct Mistake: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let command: [String]
    /// Of the file that `command` names, in its folder.
    var file: (name: String, bytes: [UInt8])?
    var input: String?
    var environment: [String: String] = [:]
    let status: Int32
    /// What the error says, place first.
    let words: [String]

    init(_ what: String, _ command: [String], _ status: Int32, _ words: String...) {
        (testDescription, self.command, self.status, self.words) = (what, command, status, words)
    }

    private init(
        _ what: String, _ command: [String], _ status: Int32, _ words: [String], file: String,
        _ bytes: [UInt8]
    ) {
        (testDescription, self.command, self.status, self.words) = (what, command, status, words)
        self.file = (file, bytes)
    }

    /// In an order file.
    static func order(_ what: String, _ text: String, _ words: String...) -> Mistake {
        order(what, bytes: Array(text.utf8), words)
    }

    static func order(_ what: String, bytes: [UInt8], _ words: [String]) -> Mistake {
        Mistake("order: \(what)", ["producer", "submit", "order.yaml"], 65, words, file: "order.yaml", bytes)
    }

    static func menu(_ what: String, _ text: String, _ words: String...) -> Mistake {
        Mistake(
            "menu: \(what)", ["producer", "order", "lunch", "--menu", "m.yaml"], 65, words, file: "m.yaml",
            Array(text.utf8))
    }

    static func configuration(
        of program: [String], _ what: String, _ text: String, _ words: String...
    ) -> Mistake {
        Mistake(
            "\(program[0]).yaml: \(what)", program + ["--config", "c.yaml"], 78, words, file: "c.yaml",
            Array(text.utf8))
    }

    func with(_ environment: [String: String]) -> Mistake {
        var mistake = self
        mistake.environment = environment
        return mistake
    }

    func with(input: String) -> Mistake {
        var mistake = self
        mistake.input = input
        return mistake
    }
}

extension Mistake {
    static let orders: [Mistake] = [
        order("broken YAML", "items: [ {station: grill\n", "order.yaml:2: is not valid YAML"),
        order("broken JSON", "{\"items\": [}\n", "order.yaml:1: is not valid YAML or JSON"),
        order("a tab", "items:\n\t- station: a\n", "order.yaml:2: is indented with a tab"),
        order("empty", "", "order.yaml:1: is empty"),
        order("a comment alone", "# nothing\n", "order.yaml:1: is empty"),
        order(
            "several documents", "items: []\n---\nitems: []\n", "order.yaml:2: holds more than one document"),
        order("a list", "[1, 2]\n", "order.yaml:1: a list is not a mapping"),
        order("a word", "hello\n", "order.yaml:1: \"hello\" is not a mapping"),
        order(
            "bytes that are no UTF-8", bytes: Array("items: []\nname: ".utf8) + [0xff],
            ["order.yaml:2: is not UTF-8"]),
        order("UTF-16", bytes: [0xff, 0xfe, 0x69, 0, 0x74, 0], ["order.yaml:1: is not UTF-8"]),
        order(
            "a NUL", bytes: Array("items: []\nname: a".utf8) + [0, 0x0a],
            ["order.yaml:2", "control characters"]),
        order(
            "an unknown key", "itens: []\n", "order.yaml:1: unknown key \"itens\"; did you mean \"items\"?"),
        order(
            "an unknown key of an item", "items:\n  - {staton: a}\n",
            "order.yaml:2: items[0]: unknown key \"staton\"; did you mean \"station\"?"),
        order("a key twice", "items: []\nitems: []\n", "the key \"items\" is given more than once"),
        order("no items", "name: x\n", "order.yaml:1: the key \"items\" is missing"),
        order("items of nothing", "items:\n", "order.yaml:1: items: is empty"),
        order(
            "an item without a station", "items: [{name: x}]\n", "items[0]: the key \"station\" is missing"),
        order("a number as a list", "items: 3\n", "order.yaml:1: items: \"3\" is not a list"),
        order("a number as a station", "items: [{station: 3}]\n", "items[0].station: \"3\" is not a string"),
        order(
            "an illegal station", "items: [{station: \"a b\"}]\n",
            "items[0].station: \"a b\" names no station"),
        order(
            "a negative timeout", "items: [{station: a, timeout: -3s}]\n",
            "items[0].timeout: \"-3s\" is negative"),
        order(
            "no timeout at all", "items: [{station: a, timeout: 0s}]\n",
            "items[0].timeout: a time of less than 1ms"),
        order(
            "a timeout of ages", "items: [{station: a, timeout: 999999999999d}]\n", "items[0].timeout",
            "too long"),
        order(
            "a time without a unit", "items: [{station: a, timeout: 3}]\n", "\"3\" is not a duration", "3s"),
        order(
            "a deadline of words", "deadline: tomorrow\nitems: []\n", "order.yaml:1: deadline",
            "or write none"),
        order(
            "attempts beyond the limit", "items: [{station: a, max_attempts: 1001}]\n", "max_attempts",
            "1 to 1000"),
        order(
            "half an attempt", "items: [{station: a, max_attempts: 1.5}]\n",
            "max_attempts: \"1.5\" is not a whole"),
        order(
            "a priority of words", "priority: high\nitems: []\n", "priority: \"high\" is not a whole number"),
        order(
            "a rule that is none", "failure: fail-fats\nitems: []\n", "failure: \"fail-fats\"", "fail-fast"),
        order("a list as a rule", "failure: [a]\nitems: []\n", "failure: this is not a failure rule"),
        order(
            "more than all tolerated", "failure: {tolerate: 101%}\nitems: []\n", "failure.tolerate: \"101%\""),
        order("enough of too few", "enough: 2\nitems: [{station: a}]\n", "enough: 2 can never be reached"),
        order(
            "a time of words", "not_before: soon\nitems: []\n",
            "not_before: \"soon\" is not a time in ISO 8601"),
        order(
            "a name too long", "items: []\nname: \(String(repeating: "n", count: 201))\n",
            "order.yaml:2: name", "200"),
        order("an empty key", "items: []\nkey: \"\"\n", "order.yaml:2: key: a key has 1 to 200 bytes"),
        order(
            "a key with a NUL", "items: []\nkey: \"a\\0b\"\n", "order.yaml:2: key: a key has 1 to 200 bytes"),
        order(
            "two payloads", "items: [{station: a, payload: 1, payload_file: x}]\n",
            "payload_file: an item has one"),
        order(
            "a payload file that is not there", "items: [{station: a, payload_file: no}]\n", "payload_file",
            "no such file"),
        order(
            "a folder as a payload", "items: [{station: a, payload_file: /tmp}]\n", "payload_file",
            "is a directory"),
        order(
            "base 64 that is none", "items: [{station: a, payload_base64: \"a!\"}]\n",
            "payload_base64: this is not base 64"),
        order(
            "infinity", "items: [{station: a, payload: {x: .inf}}]\n", "items[0].payload.x: JSON has no .inf"),
        order("an unknown alias", "items: [*nobody]\n", "order.yaml:1", "undefined alias"),
        order("an unknown tag", "items: [{station: !x a}]\n", "items[0].station: the tag !x is not known"),
        order("deep nesting", String(repeating: "[", count: 100_000), "order.yaml:1", "nested deeper"),
        order("deep JSON", String(repeating: "{\"a\":", count: 20_000), "order.yaml:1", "nested deeper"),
        order("a billion laughs", bomb("x", levels: 12), "more than 20000000 values"),
        order(
            "aliases of a large text",
            "items:\n  - station: a\n    payload:\n"
                + bomb(
                    String(repeating: "x", count: 100_000), levels: 5, indent: "      "),
            "items[0].payload: this is more than 1048576 bytes of JSON"),
        order(
            "a name of 20 MB", "items: []\nname: " + String(repeating: "n", count: 20 << 20),
            "name: 20971520 bytes"),
    ]

    /// Nine aliases of the line before on each line.
    private static func bomb(_ text: String, levels: Int, indent: String = "") -> String {
        let names = "abcdefghijklmnop".map(String.init)
        let first = "\(indent)a: &a [\(Array(repeating: text, count: 9).joined(separator: ", "))]\n"
        return first
            + (1...levels).map { level in
                let aliases = Array(repeating: "*\(names[level - 1])", count: 9).joined(separator: ", ")
                return "\(indent)\(names[level]): &\(names[level]) [\(aliases)]\n"
            }.joined()
    }

    static let files: [Mistake] = [
        Mistake(
            "a file that is not there", ["producer", "submit", "nowhere.yaml"], 65,
            "nowhere.yaml: there is no such"),
        Mistake("a folder", ["producer", "submit", "."], 65, ".: is a directory"),
        Mistake(
            "a file that cannot be read", ["producer", "submit", "/proc/self/mem"], 65,
            "/proc/self/mem: cannot be read"),
        Mistake("no name at all", ["producer", "submit", ""], 65, "\"\": is no file's name"),
        Mistake("nothing on standard input", ["producer", "submit", "-"], 65, "stdin:1: is empty").with(
            input: ""),
        Mistake(
            "map: a file that is not there", ["producer", "map", "--station", "a", "no"], 65,
            "no: there is no such"),
        Mistake("map: a folder", ["producer", "map", "--station", "a", "."], 65, ".: is a directory"),
        Mistake(
            "map: a line too long", ["producer", "map", "--station", "a", "-"], 65,
            "stdin:2: this line has more than"
        )
        .with(input: "a\n" + String(repeating: "x", count: (1 << 20) + 1)),
        menu("an unknown key", "order: {}\n", "m.yaml:1: unknown key \"order\"; did you mean \"orders\"?"),
        menu(
            "an unknown key of an order", "orders:\n  lunch: {itms: []}\n", "m.yaml:2: orders.lunch",
            "\"items\""),
        menu(
            "an illegal station", "stations: {\"a b\": {}}\n",
            "m.yaml:1: stations.a b: \"a b\" names no station"),
        menu(
            "a wrong time", "stations: {a: {timeout: 3}}\n",
            "m.yaml:1: stations.a.timeout: \"3\" is not a duration"),
        menu("a list of orders", "orders: []\n", "m.yaml:1: orders: a list is not a mapping"),
        menu("empty", "", "m.yaml:1: is empty"),
        Mistake("no menu", ["producer", "order", "lunch"], 65, "config/menu.yaml", "--menu (TRAY_MENU)").with(
            ["TRAY_MENU": ""]),
    ]

    private static let assembler = ["assembler"]
    private static let worker = ["worker"]

    static let configurations: [Mistake] = [
        configuration(
            of: assembler, "an unknown key", "stroe: a\n",
            "c.yaml:1: unknown key \"stroe\"; did you mean \"store\"?"),
        configuration(
            of: assembler, "a negative time", "retention: -1d\n", "c.yaml:1: retention: \"-1d\" is negative"),
        configuration(
            of: assembler, "words as a number", "disk_reserve_mib: lots\n",
            "disk_reserve_mib: \"lots\" is not a whole"),
        configuration(
            of: assembler, "perhaps", "insecure: maybe\n",
            "c.yaml:1: insecure: \"maybe\" is not true or false"),
        configuration(of: assembler, "a list", "[]\n", "c.yaml:1: a list is not a mapping"),
        configuration(
            of: assembler, "a key without a value", "retention:\n", "c.yaml:1: retention: is empty"),
        configuration(of: assembler, "broken YAML", "retention: [\n", "c.yaml:2: is not valid YAML"),
        configuration(
            of: worker, "an unknown key", "statoins: {}\n", "c.yaml:1: unknown key",
            "did you mean \"stations\"?"),
        configuration(
            of: worker, "an unknown key of a station", "stations: {a: {handlr: echo}}\n",
            "stations.a: unknown key", "\"handler\""),
        configuration(
            of: worker, "no handler", "stations: {a: {capacity: 1}}\n",
            "stations.a: the key \"handler\" is missing"),
        configuration(
            of: worker, "an unknown handler", "stations: {a: {handler: ehco}}\n", "stations.a.handler",
            "\"echo\"?"),
        configuration(
            of: worker, "no capacity", "stations: {a: {handler: echo, capacity: 0}}\n",
            "stations.a.capacity: \"0\""),
        configuration(of: worker, "no stations", "stations: {}\n", "c.yaml:1: stations: 0 stations"),
        configuration(
            of: worker, "a command that is no list", "stations: {a: {handler: command, command: ls}}\n",
            "stations.a.command: \"ls\" is not a list"),
        configuration(
            of: worker, "a wrong time", "drain_timeout: never\nstations: {a: {handler: echo}}\n",
            "c.yaml:1: drain_timeout: \"never\""),
        configuration(
            of: ["producer", "ping"], "an unknown key", "tiemout: 3s\n", "c.yaml:1: unknown key",
            "\"timeout\"?"),
        configuration(
            of: ["producer", "ping"], "a list", "timeout: [a]\n", "c.yaml:1: timeout: a list is not"),
        Mistake(
            "a configuration that is not there", ["worker", "--config", "no.yaml"], 78,
            "no.yaml: there is no such file"),
        Mistake("a folder as a configuration", ["assembler", "--config", "."], 78, ".: is a directory"),
        Mistake("TRAY_TIMEOUT", ["producer", "ping"], 78, "TRAY_TIMEOUT: \"soon\" is not a duration").with([
            "TRAY_TIMEOUT": "soon"
        ]),
        Mistake("TRAY_ORDERS", ["producer", "ping"], 78, "TRAY_ORDERS: 'x' is no endpoint").with([
            "TRAY_ORDERS": "x"
        ]),
        Mistake("TRAY_LOG_LEVEL", ["worker"], 78, "TRAY_LOG_LEVEL: \"loud\" is not one of trace").with([
            "TRAY_LOG_LEVEL": "loud"
        ]),
        Mistake("TRAY_INSECURE", ["assembler"], 78, "TRAY_INSECURE: \"yes\" is not true or false").with([
            "TRAY_INSECURE": "yes"
        ]),
        Mistake("TRAY_NAME", ["worker"], 78, "TRAY_NAME: \"a b\" is not a name").with(["TRAY_NAME": "a b"]),
        Mistake("TRAY_CONFIG", ["worker"], 78, "no.yaml: there is no such file").with([
            "TRAY_CONFIG": "no.yaml"
        ]),
        Mistake(
            "TRAY_KITCHEN beyond loopback", ["assembler"], 78,
            "TRAY_KITCHEN: 'tcp://0.0.0.0:1' can be reached", "--insecure"
        )
        .with(["TRAY_KITCHEN": "tcp://0.0.0.0:1"]),
        Mistake("a host name to bind", ["assembler"], 78, "bind tcp://localhost:1: no such address here")
            .with(["TRAY_KITCHEN": "tcp://localhost:1"]),
    ]

    static let flags: [Mistake] = [
        Mistake(
            "no command of that name", ["producer", "sbmit", "order.yaml"], 64,
            "no command \"sbmit\"; did you mean \"submit\"?"),
        Mistake(
            "an unknown flag", ["producer", "submit", "-", "--wiat"], 64,
            "Unknown option '--wiat'. Did you mean '--wait'?"),
        Mistake(
            "a flag twice", ["producer", "ping", "--timeout", "1s", "--timeout", "2s"], 64,
            "--timeout is given twice"),
        Mistake("a switch twice", ["producer", "list", "--json", "--json"], 64, "--json is given twice"),
        Mistake(
            "assembler: a flag twice", ["assembler", "--store", "a", "--store=b"], 64,
            "--store is given twice"),
        Mistake(
            "worker: a flag twice", ["worker", "--name", "a", "--name", "b"], 64, "--name is given twice"),
        Mistake(
            "a negative time", ["producer", "ping", "--timeout", "-1s"], 64, "--timeout: \"-1s\" is negative"),
        Mistake(
            "no time at all", ["producer", "ping", "--timeout", "0s"], 64, "--timeout: \"0s\" is too short"),
        Mistake(
            "a time of ages", ["producer", "ping", "--timeout", "300000000d"], 64, "--timeout", "too long"),
        Mistake(
            "a number of words", ["producer", "submit", "-", "--max-parallel", "two"], 64,
            "'--max-parallel <n>'", "1 to 1000000"),
        Mistake(
            "a negative number", ["producer", "order", "x", "--count", "-1"], 64, "'--count <n>'",
            "1 to 1000000"),
        Mistake(
            "a negative deadline", ["producer", "submit", "-", "--deadline", "-3s"], 64,
            "'--deadline <duration>'", "negative"),
        Mistake("no key", ["producer", "submit", "-", "--key", ""], 64, "'--key <key>'", "1 to 200 bytes"),
        Mistake(
            "no value", ["producer", "ping", "--timeout"], 64, "Missing value for '--timeout <duration>'"),
        Mistake("no file", ["producer", "submit"], 64, "Missing expected argument '<file>'"),
        Mistake("a file too many", ["producer", "submit", "a", "b"], 64, "Unexpected argument 'b'"),
        Mistake(
            "an id that is none", ["producer", "status", "abc"], 64, "an order's id has 26 letters and digits"
        ),
        Mistake("a status that is none", ["producer", "list", "--status", "done"], 64, "running, complete"),
        Mistake("a station that is none", ["producer", "map", "--station", "a b"], 64, "1 to 64 letters"),
        Mistake(
            "an endpoint that is none", ["producer", "ping", "--orders", "http://x"], 64,
            "--orders: 'http://x' is no endpoint"),
        Mistake(
            "a port that is none", ["producer", "ping", "--orders", "tcp://a:99999"], 64,
            "the port is a number"),
        Mistake(
            "a log level that is none", ["worker", "--log-level", "loud"], 64,
            "--log-level: \"loud\" is not one of"),
        Mistake(
            "assembler: a negative time", ["assembler", "--retention", "-1d"], 64,
            "--retention: \"-1d\" is negative"),
        Mistake(
            "assembler: a negative size", ["assembler", "--disk-reserve-mib", "-1"], 64,
            "--disk-reserve-mib: \"-1\" is not"),
        Mistake(
            "worker: no such station", ["worker", "--station", "gril"], 64, "--station gril: no such station",
            "echo"),
        Mistake(
            "worker: no capacity", ["worker", "--station", "echo=0"], 64, "--station echo=0: capacities are"),
        Mistake(
            "worker: a name that is none", ["worker", "--name", "a/b"], 64, "--name: \"a/b\" is not a name"),
        Mistake(
            "worker: a negative time", ["worker", "--drain-timeout", "-1s"], 64,
            "--drain-timeout: \"-1s\" is negative"),
    ]
}
