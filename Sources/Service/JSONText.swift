import Foundation

/// Whether bytes are JSON as everybody reads it.
public enum JSONText {
    /// Exactly one JSON value in UTF-8 (RFC 8259).
    ///
    /// Foundation also takes a byte-order mark, UTF-16, UTF-32 and a comma before a closing bracket: none of
    /// these is JSON to other readers.
    public static func isOneValue(_ bytes: Data) -> Bool {
        guard !bytes.contains(0), bytes.first != 0xef, !hasTrailingComma(bytes) else { return false }
        // Why it is not JSON does not matter to anybody who asks this.
        return (try? JSONSerialization.jsonObject(with: bytes, options: .fragmentsAllowed)) != nil
    }

    private static func hasTrailingComma(_ bytes: Data) -> Bool {
        var (isInString, isEscaped, last) = (false, false, UInt8(0))
        for byte in bytes {
            if isInString {
                isInString = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): continue
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if last == UInt8(ascii: ",") { return true }
            case UInt8(ascii: "\""): isInString = true
            default: break
            }
            last = byte
        }
        return false
    }
}
