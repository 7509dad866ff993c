import Service
import Wire

/// A failure rule as it is written: `isolate`, `fail-fast`, `{tolerate: 3}`, `{tolerate: 5%}`, or either of
/// the last two as a string, `"tolerate: 3"`.
enum FailureRuleText {
    private static let requirement = "write isolate, fail-fast, {tolerate: 3} or {tolerate: 5%}"

    static func read(_ node: DocumentNode) throws(DocumentError) -> NewOrder.FailureRule {
        if let text = try? node.text() {  // a mapping has no text, and is read below
            return try rule(text, at: node)
        }
        guard (try? node.mapping()) != nil else {  // whatever else it is, it is none of the rules
            throw node.error("this is not a failure rule; \(requirement)")
        }
        let tolerated = try node.mapping(allowing: ["tolerate"]).required("tolerate")
        return try tolerance(try tolerated.text(), at: tolerated)
    }

    private static func rule(_ text: String, at node: DocumentNode) throws(DocumentError)
        -> NewOrder.FailureRule
    {
        let parts = text.split(separator: ":", maxSplits: 1).map { $0.trimmingPrefix(while: \.isWhitespace) }
        switch (parts.first, parts.count) {
        case ("isolate", 1): return .isolate
        case ("fail-fast", 1): return .failFast
        case ("tolerate", 2): return try tolerance(String(parts[1]), at: node)
        default:
            throw node.error("\"\(PlainText.beginning(of: text))\" is not a failure rule; \(requirement)")
        }
    }

    private static func tolerance(
        _ text: String, at node: DocumentNode
    ) throws(DocumentError) -> NewOrder.FailureRule {
        if text.last == "%", let share = hundredths(ofPercent: text.dropLast()) {
            return .tolerateShare(hundredthsOfPercent: share)
        }
        if let count = Int(text), (0...Limits.orderItemCountMax).contains(count) {
            return .tolerate(count: count)
        }
        throw node.error(
            "\"\(PlainText.beginning(of: text))\" is not what can be tolerated; write a count up to "
                + "\(Limits.orderItemCountMax), or a "
                + "percentage up to 100% with two decimals at most")
    }

    /// `12.5` is 1250; `nil` for what is not 0 to 100 with at most two decimals.
    private static func hundredths(ofPercent text: Substring) -> Int? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let digits = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
        guard digits, (1...2).contains(parts.count), parts[0].count <= 3, let whole = Int(parts[0]) else {
            return nil
        }
        var hundredths = whole * 100
        if parts.count == 2 {
            guard parts[1].count <= 2, let decimals = Int(parts[1]) else { return nil }
            hundredths += parts[1].count == 1 ? decimals * 10 : decimals
        }
        return hundredths <= 10_000 ? hundredths : nil
    }
}
