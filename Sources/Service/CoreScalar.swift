/// What an unquoted scalar means in the core schema of YAML 1.2.
///
/// Source: YAML 1.2.2, section 10.3.2, https://yaml.org/spec/1.2.2/#1032-tag-resolution
enum CoreScalar: Equatable {
    case null
    case bool(Bool)
    /// An integer, as written.
    case integer
    /// Any other number that is finite, as written.
    case decimal
    /// `.inf`, `-.inf`, `.nan`.
    case notFinite
    case string

    init(_ text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE": self = .bool(true)
        case "false", "False", "FALSE": self = .bool(false)
        case ".nan", ".NaN", ".NAN": self = .notFinite
        default: self = CoreScalar.number(Substring(text).utf8)
        }
    }

    private static func number(_ text: Substring.UTF8View) -> CoreScalar {
        if text.starts(with: "0x".utf8) {
            return isAll(text.dropFirst(2), isHexadecimal) ? .integer : .string
        }
        if text.starts(with: "0o".utf8) { return isAll(text.dropFirst(2), isOctal) ? .integer : .string }
        let isSigned = text.first == UInt8(ascii: "-") || text.first == UInt8(ascii: "+")
        let unsigned = isSigned ? text.dropFirst() : text
        if isAll(unsigned, isDigit) { return .integer }
        if [".inf", ".Inf", ".INF"].contains(where: { unsigned.elementsEqual($0.utf8) }) {
            return .notFinite
        }
        return isDecimal(unsigned) ? .decimal : .string
    }

    /// `digits . digits`, one of the two at least, and perhaps an exponent.
    private static func isDecimal(_ text: Substring.UTF8View) -> Bool {
        let whole = text.prefix(while: isDigit)
        var rest = text[whole.endIndex...]
        var fraction = rest.prefix(0)
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst().prefix(while: isDigit)
            rest = rest[fraction.endIndex...]
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return false }
        guard let mark = rest.first else { return true }
        guard mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") else { return false }
        rest = rest.dropFirst()
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        return isAll(rest, isDigit)
    }

    private static func isAll(_ text: Substring.UTF8View, _ isAllowed: (UInt8) -> Bool) -> Bool {
        !text.isEmpty && text.allSatisfy(isAllowed)
    }

    private static func isDigit(_ character: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
    }

    private static func isOctal(_ character: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(character)
    }

    private static func isHexadecimal(_ character: UInt8) -> Bool {
        isDigit(character) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(character | 0x20)
    }
}
