import Foundation
import Wire

/// How times and lengths of time are written.
package enum Figures {
    /// ISO 8601 in UTC with milliseconds, `2026-11-22T22:27:42.123Z`; `nil` for 0, which says "not yet".
    package static func time(milliseconds: UInt64) -> String? {
        guard milliseconds > 0 else { return nil }
        // The last that four digits of a year can say.
        let milliseconds = min(milliseconds, 253_402_300_799_999)
        let seconds = Date(timeIntervalSince1970: TimeInterval(milliseconds / 1_000))
        let (fraction, text) = (padded(milliseconds % 1_000, width: 3), seconds.formatted(.iso8601))
        return "\(text.dropLast()).\(fraction)Z"
    }

    /// Seconds with one to six decimals, as a JSON number: `3.002`.
    package static func seconds(microseconds: UInt64) -> String {
        var decimals = padded(microseconds % 1_000_000, width: 6)
        while decimals.count > 1, decimals.last == "0" { decimals.removeLast() }
        return "\(microseconds / 1_000_000).\(decimals)"
    }

    /// Seconds with one to three decimals.
    package static func seconds(milliseconds: UInt64) -> String {
        let (microseconds, isTooMany) = milliseconds.multipliedReportingOverflow(by: 1_000)
        return seconds(microseconds: isTooMany ? .max : microseconds)
    }

    /// Milliseconds with three decimals, as a JSON number: `0.412`.
    package static func milliseconds(_ duration: Duration) -> String {
        let microseconds = UInt64(clamping: duration.microseconds)
        return "\(microseconds / 1_000).\(padded(microseconds % 1_000, width: 3))"
    }

    /// For people, with as many digits as they can use: `3.002 s`, `42.1 s`, `12 min 3 s`, `5 h 20 min`.
    package static func span(milliseconds: UInt64) -> String {
        let seconds = milliseconds / 1_000
        switch seconds {
        case ..<10: return "\(seconds).\(padded(milliseconds % 1_000, width: 3)) s"
        case ..<100: return "\(seconds).\(milliseconds % 1_000 / 100) s"
        case ..<6_000: return "\(seconds / 60) min \(seconds % 60) s"
        default: return "\(seconds / 3_600) h \(seconds % 3_600 / 60) min"
        }
    }

    private static func padded(_ value: UInt64, width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
