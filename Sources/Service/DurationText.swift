/// Durations as people write them: a number and a unit, `250ms`, `1.5s`, `10m`, `24h`, `7d`.
public enum DurationText {
    /// What errors say: "… is not \(requirement)".
    public static let requirement = "a duration; write a number and a unit, such as 250ms, 3s, 10m, 24h"

    /// What is wrong with `text`, which is no duration, and what would be right.
    public static func complaint(about text: String) -> String {
        if text.hasPrefix("-"), parse(String(text.dropFirst())) != nil {
            return "\"\(PlainText.beginning(of: text))\" is negative; a duration is not"
        }
        let number = text.prefix { $0.isASCII && $0.isNumber }
        if !number.isEmpty, units.contains(where: { $0.suffix == text.dropFirst(number.count) }) {
            return
                "\"\(PlainText.beginning(of: text))\" is too long a duration; 106751d is the longest that is taken"
        }
        return "\"\(PlainText.beginning(of: text))\" is not \(requirement)"
    }

    /// Longest first: `ms` must be seen before `s`, and `m` after both.
    private static let units: [(suffix: String, nanoseconds: Int64)] = [
        ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ]

    /// The duration; `nil` where `text` is none, is negative, is finer than a nanosecond or longer than 292
    /// years.
    public static func parse(_ text: String) -> Duration? {
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }) else { return nil }
        let parts = text.dropLast(unit.suffix.count).split(
            separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first.flatMap(digits) else { return nil }
        let (product, isTooLong) = whole.multipliedReportingOverflow(by: unit.nanoseconds)
        guard !isTooLong else { return nil }
        guard parts.count == 2 else { return .nanoseconds(product) }
        guard let fraction = fraction(parts[1], of: unit.nanoseconds) else { return nil }
        let (sum, overflow) = product.addingReportingOverflow(fraction)
        return overflow ? nil : .nanoseconds(sum)
    }

    /// `duration` in the largest unit that needs no fraction, else in seconds or milliseconds with one.
    ///
    /// Negative durations are written as zero; parts of a nanosecond are dropped.
    public static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = max(duration, .zero).components
        let nanoseconds = attoseconds / 1_000_000_000
        guard nanoseconds == 0 else {
            return seconds > 0
                ? "\(seconds)\(fractionText(nanoseconds, digitCount: 9))s"
                : "\(nanoseconds / 1_000_000)\(fractionText(nanoseconds % 1_000_000, digitCount: 6))ms"
        }
        if seconds >= 2 * 86_400, seconds % 86_400 == 0 { return "\(seconds / 86_400)d" }
        if seconds >= 3_600, seconds % 3_600 == 0 { return "\(seconds / 3_600)h" }
        if seconds >= 60, seconds % 60 == 0 { return "\(seconds / 60)m" }
        return "\(seconds)s"
    }

    private static func digits(_ text: Substring) -> Int64? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }

    /// So many nanoseconds are `0.text` of a unit; `nil` where that is not a whole number of them.
    private static func fraction(_ text: Substring, of unit: Int64) -> Int64? {
        guard text.count <= 9, let numerator = digits(text) else { return nil }
        let denominator = (0..<text.count).reduce(Int64(1)) { product, _ in product * 10 }
        let (high, low) = numerator.multipliedFullWidth(by: unit)
        let (quotient, remainder) = denominator.dividingFullWidth((high, low))
        return remainder == 0 ? quotient : nil
    }

    /// `.` and the digits without closing zeros; empty for zero.
    private static func fractionText(_ value: Int64, digitCount: Int) -> String {
        guard value > 0 else { return "" }
        let digits = String(value)
        var text = String(repeating: "0", count: digitCount - digits.count) + digits
        while text.last == "0" { text.removeLast() }
        return ".\(text)"
    }
}
