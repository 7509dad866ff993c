import Yams

extension DocumentNode {
    /// The value as compact JSON: keys in the order in which they are written, numbers as written where JSON
    /// allows, whatever is no number, truth value or null as a string.
    ///
    /// - Throws: `DocumentError` for what JSON cannot say: `.inf`, `.nan`, and keys that are lists or
    /// mappings; and for more than `bytesMax`, however few lines of aliases it takes to write that.
    public func jsonText(bytesMax: Int = FileBytes.documentBytesMax) throws(DocumentError) -> String {
        var output = JSONOutput(bytesMax: bytesMax)
        try writeJSON(to: &output)
        guard !output.isTooLong else {
            throw error("this is more than \(bytesMax) bytes of JSON, the limit here")
        }
        return output.text
    }

    private func writeJSON(to output: inout JSONOutput) throws(DocumentError) {
        guard !output.isTooLong else { return }
        switch content {
        case .scalar(let scalar): try writeJSON(scalar, to: &output)
        case .sequence: try writeList(to: &output)
        case .mapping: try writeObject(to: &output)
        case .alias: throw error("an alias cannot stand here")
        }
    }

    private func writeJSON(_ scalar: Node.Scalar, to output: inout JSONOutput) throws(DocumentError) {
        switch try meaning(of: scalar) {
        case .null: output.text += "null"
        case .bool(let value): output.text += value ? "true" : "false"
        case .string: JSONString.write(scalar.string, to: &output.text)
        case .integer, .decimal:
            guard let number = CoreScalar.jsonNumber(scalar.string) else {
                throw error("\(seen) is too large a number; write it in quotes")
            }
            output.text += number
        case .notFinite: throw error("JSON has no \(scalar.string); write it in quotes")
        }
    }

    private func writeList(to output: inout JSONOutput) throws(DocumentError) {
        output.text += "["
        var isFirst = true
        for element in try sequence() {
            if !isFirst { output.text += "," }
            isFirst = false
            try element.writeJSON(to: &output)
        }
        output.text += "]"
    }

    private func writeObject(to output: inout JSONOutput) throws(DocumentError) {
        output.text += "{"
        var isFirst = true
        for entry in try mapping().entries {
            if !isFirst { output.text += "," }
            isFirst = false
            JSONString.write(entry.key, to: &output.text)
            output.text += ":"
            try entry.value.writeJSON(to: &output)
        }
        output.text += "}"
    }
}

/// JSON as far as it is written; past its limit nothing is added.
private struct JSONOutput {
    let bytesMax: Int
    var text = ""

    var isTooLong: Bool { text.utf8.count > bytesMax }
}

/// Strings in JSON.
enum JSONString {
    /// Appends `text` in quotes; only what must be escaped is.
    static func write(_ text: String, to output: inout String) {
        output += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case "\u{0}"..<"\u{10}": output += "\\u000\(String(scalar.value, radix: 16))"
            case "\u{10}"..<"\u{20}": output += "\\u00\(String(scalar.value, radix: 16))"
            default: output.unicodeScalars.append(scalar)
            }
        }
        output += "\""
    }
}

extension CoreScalar {
    /// The value of an integer of the core schema; `nil` where it does not fit.
    static func int(_ text: String) -> Int? {
        if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
        if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8) }
        return Int(text)
    }

    /// A finite number of the core schema as JSON writes it; `nil` for octal and hexadecimal ones that do not
    /// fit.
    static func jsonNumber(_ text: String) -> String? {
        if text.hasPrefix("0x") || text.hasPrefix("0o") { return int(text).map(String.init) }
        let sign = text.hasPrefix("-") ? "-" : ""
        let unsigned = text.drop { $0 == "-" || $0 == "+" }
        let whole = unsigned.prefix { $0.isNumber }.drop { $0 == "0" }
        var rest = unsigned.drop { $0.isNumber }
        var fraction: Substring = ""
        if rest.first == "." {
            fraction = rest.dropFirst().prefix { $0.isNumber }
            rest = rest.dropFirst(1 + fraction.count)
        }
        return sign + (whole.isEmpty ? "0" : whole) + (fraction.isEmpty ? "" : ".\(fraction)") + rest
    }
}
