/// What stands in the strings of JSON and means something else in those of YAML.
///
/// JSON writes a character beyond U+FFFF as two escapes (`\uD83D\uDE00`), YAML as one (`\U0001F600`). JSON lets
/// U+0085, U+2028 and U+2029 stand as they are; YAML takes them for ends of lines, folds the first and drops space
/// around all of them. Others that JSON lets stand it does not take at all.
enum JSONCharacters {
    /// `text` in YAML's form, where it is JSON: its first character opens an object or an array.
    ///
    /// Escapes in lone halves stay, and the parser refuses them. Lines stay where they are.
    static func asYAML(_ text: String) -> String {
        guard isJSON(text.utf8), text.utf8.contains(where: { $0 == UInt8(ascii: "\\") || $0 >= 0x7f }) else {
            return text
        }
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var (index, isInString) = (0, false)
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\\") where index + 1 < bytes.count:
                index += appendEscape(bytes, at: index, to: &output)
            case 0x7f... where isInString:
                index += appendCharacter(bytes, at: index, to: &output)
            case let byte:
                if byte == UInt8(ascii: "\"") { isInString.toggle() }
                output.append(byte)
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func isJSON(_ text: String.UTF8View) -> Bool {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let rest = text.starts(with: mark) ? text.dropFirst(mark.count) : text[...]
        let first = rest.first { !" \t\r\n".utf8.contains($0) }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }

    /// - Returns: how many bytes of `bytes` that was.
    private static func appendEscape(_ bytes: [UInt8], at index: Int, to output: inout [UInt8]) -> Int {
        guard let scalar = pair(in: bytes, at: index) else {
            output.append(contentsOf: bytes[index...index + 1])
            return 2
        }
        output.append(contentsOf: "\\U\(hexadecimal(scalar, digitCount: 8))".utf8)
        return 12
    }

    /// - Returns: how many bytes of `bytes` that was.
    private static func appendCharacter(_ bytes: [UInt8], at index: Int, to output: inout [UInt8]) -> Int {
        let count = bytes[index] < 0x80 ? 1 : bytes[index] < 0xe0 ? 2 : bytes[index] < 0xf0 ? 3 : 4
        let character = bytes[index..<min(index + count, bytes.count)]
        if let scalar = String(decoding: character, as: UTF8.self).unicodeScalars.first, isFolded(scalar) {
            output.append(contentsOf: "\\u\(hexadecimal(scalar.value, digitCount: 4))".utf8)
        } else {
            output.append(contentsOf: character)
        }
        return character.count
    }

    /// What the parser folds or refuses.
    private static func isFolded(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x7f..<0xa0, 0x2028, 0x2029, 0xfeff, 0xfffe, 0xffff: true
        default: false
        }
    }

    private static func pair(in bytes: [UInt8], at index: Int) -> UInt32? {
        guard let high = escape(in: bytes, at: index), (0xd800..<0xdc00).contains(high),
            let low = escape(in: bytes, at: index + 6), (0xdc00..<0xe000).contains(low)
        else { return nil }
        return 0x10000 + (high - 0xd800) << 10 + (low - 0xdc00)
    }

    /// The value of the escape `\uXXXX` at `index`.
    private static func escape(in bytes: [UInt8], at index: Int) -> UInt32? {
        guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { return nil }
        return UInt32(String(decoding: bytes[index + 2..<index + 6], as: UTF8.self), radix: 16)
    }

    private static func hexadecimal(_ scalar: UInt32, digitCount: Int) -> String {
        let digits = String(scalar, radix: 16)
        return String(repeating: "0", count: digitCount - digits.count) + digits
    }
}
