import Foundation
import Service

/// A JSON value whose keys keep the order in which they were given: scripts and people read reports in it.
package enum JSONValue {
    case null
    case bool(Bool)
    case integer(Int)
    /// A number as it is to stand in the text.
    case number(String)
    case string(String)
    /// One JSON value that is text already, on one line.
    case verbatim(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// The text of an object, or null where there is none.
    package static func optional(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }

    /// On one line, with a space after each colon and comma.
    package var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let digits): text += digits
        case .string(let value): JSONValue.write(quoted: value, to: &text)
        case .verbatim(let value): text += value
        case .array(let values): JSONValue.write(values, between: ("[", "]"), to: &text) { $0.write(to: &$1) }
        case .object(let members):
            JSONValue.write(members, between: ("{", "}"), to: &text) { member, text in
                JSONValue.write(quoted: member.key, to: &text)
                text += ": "
                member.value.write(to: &text)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], between brackets: (open: String, close: String), to text: inout String,
        each: (Element, inout String) -> Void
    ) {
        text += brackets.open
        for (index, element) in elements.enumerated() {
            if index > 0 { text += ", " }
            each(element, &text)
        }
        text += brackets.close
    }

    private static func write(quoted value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                text += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

extension JSONValue {
    /// The JSON value that `data` holds, on one line; `nil` where it is not exactly one value in UTF-8.
    package init?(compacting data: Data) {
        guard JSONText.isOneValue(data), let text = String(validating: data, as: UTF8.self)
        else { return nil }  // Not JSON, whatever its sender called it: the caller shows it as text.
        self = .verbatim(JSONValue.withoutSpace(text))
    }

    /// `text` without the white space outside its strings. It must be valid JSON.
    private static func withoutSpace(_ text: String) -> String {
        var (isInString, isEscaped) = (false, false)
        var compact: [UInt8] = []
        compact.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if !isInString, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { continue }
            compact.append(byte)
            switch byte {
            case _ where isEscaped: isEscaped = false
            case UInt8(ascii: "\\"): isEscaped = isInString
            case UInt8(ascii: "\""): isInString.toggle()
            default: break
            }
        }
        return String(decoding: compact, as: UTF8.self)
    }
}
