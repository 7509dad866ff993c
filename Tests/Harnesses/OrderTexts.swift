import Foundation
import TrayProducer
import Wire

/// An order as a file says it, and what reading the file must give.
package struct OrderText {
    package var text = ""
    package var expected: NewOrder
}

extension Generator {
    /// A valid order, in one of the many ways in which it can be written.
    package mutating func orderText(isJSON: Bool) -> OrderText {
        var writer = OrderWriter(isJSON: isJSON)
        var expected = NewOrder(items: [])
        var fields: [(String, String)] = []
        let itemTexts = list(atMost: 4) { generator -> String in
            let (item, fields) = generator.itemFields(&writer)
            expected.items.append(item)
            return writer.flow(fields)
        }
        if bool() {
            expected.name = string()
            fields.append(("name", writer.string(expected.name, &self)))
        }
        if once(in: 4) {
            expected.key = "k" + string().replacing("\u{0}", with: "")
            fields.append(("key", writer.string(expected.key, &self)))
        }
        if bool() { fields.append(("failure", failure(&expected, &writer))) }
        if bool() {
            let (text, duration) = durationText()
            expected.deadline = once(in: 4) ? .none : .after(duration)
            fields.append(("deadline", writer.word(expected.deadline == .none ? "none" : text, &self)))
        }
        if once(in: 3), !expected.items.isEmpty {
            expected.enough = int(1...expected.items.count)
            fields.append(("enough", "\(expected.enough ?? 0)"))
        }
        if once(in: 3) {
            expected.maxParallel = int(1...Limits.orderItemCountMax)
            fields.append(("max_parallel", writer.number(expected.maxParallel ?? 0, &self)))
        }
        if once(in: 3) {
            expected.priority = int(Limits.priorityRange)
            fields.append(("priority", "\(expected.priority)"))
        }
        if once(in: 4) {
            expected.notBefore = WallTime(milliseconds: 1_000 * Int64(int(1...4_000_000_000)))
            let date = Date(timeIntervalSince1970: Double((expected.notBefore?.milliseconds ?? 0) / 1_000))
            fields.append(("not_before", writer.word(date.formatted(.iso8601), &self)))
        }
        fields.append(("items", "[" + itemTexts.joined(separator: ", ") + "]"))
        fields.shuffle(using: &self)
        return OrderText(text: writer.document(fields, &self), expected: expected)
    }

    private mutating func itemFields(_ writer: inout OrderWriter) -> (NewItem, [(String, String)]) {
        var item = NewItem(station: pick(["grill", "a", "A-1_b", "x.y"]))
        var fields = [("station", writer.word(item.station, &self))]
        if bool() {
            item.name = string()
            fields.append(("name", writer.string(item.name, &self)))
        }
        switch int(0...3) {
        case 0:
            let bytes = bytes(atMost: 30)
            item.payload = Content.bytes(bytes)
            fields.append(("payload_base64", writer.string(Data(bytes).base64EncodedString(), &self)))
        case 1: break
        default:
            let (written, compact) = json(&writer, depth: 3)
            item.payload = Content.json(compact)
            fields.append(("payload", written))
        }
        if once(in: 3) {
            let (text, duration) = durationText()
            item.timeout = duration
            fields.append(("timeout", writer.word(text, &self)))
        }
        if once(in: 3) {
            item.attemptsMax = int(1...Limits.attemptsMax)
            fields.append(("max_attempts", "\(item.attemptsMax ?? 0)"))
        }
        fields.shuffle(using: &self)
        return (item, fields)
    }

    private mutating func failure(_ expected: inout NewOrder, _ writer: inout OrderWriter) -> String {
        let count = int(0...9)
        switch int(0...4) {
        case 0: return writer.word("isolate", &self)
        case 1:
            expected.failure = .failFast
            return writer.word("fail-fast", &self)
        case 2:
            expected.failure = .tolerate(count: count)
            return writer.flow([("tolerate", "\(count)")])
        case 3:
            expected.failure = .tolerateShare(hundredthsOfPercent: count * 100 + 5)
            return writer.flow([("tolerate", writer.word("\(count).05%", &self))])
        default:
            expected.failure = .tolerate(count: count)
            return writer.string("tolerate: \(count)", &self)
        }
    }

    /// At least 1 ms.
    package mutating func durationText() -> (text: String, duration: Duration) {
        switch int(0...5) {
        case 0:
            let count = int(1...5_000)
            return ("\(count)ms", .milliseconds(count))
        case 1:
            let (whole, half) = (int(1...500), pick([0, 5]))
            return ("\(whole).\(half)s", .milliseconds(whole * 1_000 + half * 100))
        case 2:
            let count = int(1...600)
            return ("\(count)m", .seconds(60 * count))
        case 3:
            let count = int(1...100)
            return ("\(count)h", .seconds(3_600 * count))
        case 4:
            let count = int(1...106_751)
            return ("\(count)d", .seconds(86_400 * count))
        default:
            let count = int(1...100_000)
            return ("\(count)s", .seconds(count))
        }
    }

    /// Whatever a string can hold that a file can say: Yams drops a byte-order mark from its beginning.
    private mutating func string(atMost countMax: Int = 6) -> String {
        String(String.UnicodeScalarView(text(atMost: countMax).unicodeScalars.drop { $0 == "\u{feff}" }))
    }

    /// A JSON value as it is written, and as it is sent.
    private mutating func json(_ writer: inout OrderWriter, depth: Int) -> (written: String, compact: String)
    {
        switch int(0...(depth > 0 ? 7 : 5)) {
        case 0: return ("null", "null")
        case 1:
            let value = bool() ? "true" : "false"
            return (value, value)
        case 2:
            let value = pick([
                "0", "-0", "7", "-12", "1.5", "-0.25", "1e5", "2E-3", "12345678901234567890", "1.0",
            ])
            return (value, value)
        case 3...5:
            let value = string(atMost: 12)
            return (writer.string(value, &self), OrderWriter.plainJSON(value))
        case 6:
            let values = list(atMost: 3) { $0.json(&writer, depth: depth - 1) }
            return (
                "[" + values.map(\.written).joined(separator: pick([",", ", "])) + "]",
                "[" + values.map(\.compact).joined(separator: ",") + "]"
            )
        default:
            var keys: Set<String> = []
            let members = list(atMost: 3) { generator in
                (generator.string(atMost: 4), generator.json(&writer, depth: depth - 1))
            }.filter { keys.insert($0.0).inserted }
            return (
                writer.flow(members.map { ($0.0, $0.1.written) }, quoting: &self),
                "{" + members.map { "\(OrderWriter.plainJSON($0.0)):\($0.1.compact)" }.joined(separator: ",")
                    + "}"
            )
        }
    }
}

/// Writes fields and values as YAML or JSON, with the freedom that each leaves.
struct OrderWriter {
    let isJSON: Bool

    func document(_ fields: [(String, String)], _ generator: inout Generator) -> String {
        guard !isJSON, generator.bool() else {
            return generator.pick(["", " \n"]) + flow(fields) + generator.pick(["", "\n", " \n\n"])
        }
        let newline = generator.pick(["\n", "\n", "\r\n"])
        let begin = generator.pick(["", "", "# an order\(newline)", "---\(newline)"])
        return begin + fields.map { "\($0): \($1)\(newline)" }.joined()
    }

    /// `{"key": value, …}`; keys are words that need no quotes in YAML.
    func flow(_ fields: [(String, String)]) -> String {
        "{" + fields.map { isJSON ? "\"\($0)\": \($1)" : "\($0): \($1)" }.joined(separator: ", ") + "}"
    }

    func flow(_ fields: [(String, String)], quoting generator: inout Generator) -> String {
        "{" + fields.map { "\(string($0, &generator)): \($1)" }.joined(separator: ", ") + "}"
    }

    /// A word that means itself without quotes.
    func word(_ text: String, _ generator: inout Generator) -> String {
        isJSON || generator.bool() ? "\"\(text)\"" : text
    }

    func number(_ value: Int, _ generator: inout Generator) -> String {
        isJSON || generator.bool() ? "\(value)" : "0x\(String(value, radix: 16))"
    }

    /// A string in quotes: single ones where YAML lets it, else with escapes where they must be, and where they may.
    func string(_ text: String, _ generator: inout Generator) -> String {
        let isSimple = text.unicodeScalars.allSatisfy { (0x20..<0x7f).contains($0.value) }
        if !isJSON, isSimple, generator.once(in: 3) { return "'" + text.replacing("'", with: "''") + "'" }
        return "\"" + text.unicodeScalars.map { escaped($0, &generator) }.joined() + "\""
    }

    private func escaped(_ scalar: Unicode.Scalar, _ generator: inout Generator) -> String {
        switch scalar {
        case "\"": return "\\\""
        case "\\": return "\\\\"
        case "/": return generator.bool() ? "/" : "\\/"
        case "\n": return generator.bool() ? "\\n" : "\\u000a"
        default: break
        }
        // JSON lets all but the first control characters stand as they are.
        let mayStand = isJSON ? scalar.value >= 0x20 : OrderWriter.isPrintable(scalar)
        if mayStand, !generator.once(in: 5) { return String(scalar) }
        return String(scalar).utf16.map { "\\u" + String(format: "%04x", $0) }.joined()
            .replacingSurrogates(of: scalar, asJSON: isJSON)
    }

    /// What YAML lets stand in quotes, line breaks of its older versions left out.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20..<0x7f, 0xa0..<0x2028, 0x202a..<0xd800, 0xe000..<0xfeff, 0xff00..<0xfffe,
            0x10000...0x10ffff:
            true
        default: false
        }
    }

    /// In quotes, with no escapes but those that JSON wants.
    static func plainJSON(_ text: String) -> String { JSONValue.string(text).text }
}

extension String {
    /// YAML has an escape of its own for what is two in JSON.
    fileprivate func replacingSurrogates(of scalar: Unicode.Scalar, asJSON isJSON: Bool) -> String {
        isJSON || scalar.value < 0x10000 ? self : "\\U" + String(format: "%08x", scalar.value)
    }
}
