/// JSON writes a character beyond U+FFFF as two escapes (`\uD83D\uDE00`), YAML as one (`\U0001F600`).
enum SurrogatePairs {
    /// `text` with such pairs in YAML's form, where it is JSON: its first character opens an object or an
    /// array.
    ///
    /// Escapes in lone halves stay, and the parser refuses them. Lines stay where they are.
    static func joined(in text: String) -> String {
        guard isJSON(text.utf8), text.utf8.contains(UInt8(ascii: "\\")) else { return text }
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count else {
                output.append(bytes[index])
                index += 1
                continue
            }
            if let scalar = pair(in: bytes, at: index) {
                output.append(contentsOf: "\\U\(hexadecimal(scalar))".utf8)
                index += 12
            } else {
                output.append(contentsOf: bytes[index...index + 1])
                index += 2
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func isJSON(_ text: String.UTF8View) -> Bool {
        let first = text.first { !" \t\r\n".utf8.contains($0) }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
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

    private static func hexadecimal(_ scalar: UInt32) -> String {
        let digits = String(scalar, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
