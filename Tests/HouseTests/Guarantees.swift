import Foundation

/// The tables of docs/guarantees.md, and the tests that they name.
struct Guarantees {
    static let path = "docs/guarantees.md"
    static let promises = (1...9).map { "P\($0)" }
    static let failureModes = [1...8, 10...14, 20...26, 30...37, 40...46, 50...56].joined()
        .map { $0 < 10 ? "FM-0\($0)" : "FM-\($0)" }

    /// A line of a table that begins with a promise or a failure mode.
    struct Row {
        let id: String
        let text: Substring
        /// Written `"sentence" ([Suite](../Tests/…))`.
        let citations: [Citation]

        init?(_ line: Substring) {
            guard let match = line.firstMatch(of: /^\|\s*(P\d|FM-\d\d)\s*\|/) else { return nil }
            id = String(match.1)
            text = line
            citations = line.matches(of: /"([^"]+)" \(\[[^\]]+\]\(\.\.\/([^)]+)\)\)/).map {
                Citation(sentence: String($0.1), path: String($0.2))
            }
        }

        var hasStrayQuotes: Bool { text.count { $0 == "\"" } != 2 * citations.count }
    }

    struct Citation {
        let sentence: String
        let path: String
    }

    let rows: [Row]
    /// Files of this repository that the document links to, by their paths from its root.
    let links: [String]
    /// The sentences of the tests of each file.
    let tests: [(path: String, sentences: [String])]
    let paths: Set<String>

    init(_ house: House) {
        let lines = house.files.first { $0.path == Guarantees.path }?.lines ?? []
        rows = lines.compactMap(Row.init)
        links = lines.flatMap(Guarantees.links)
        tests = house.swiftFiles.filter { $0.path.hasPrefix("Tests/") }
            .map { ($0.path, Guarantees.sentences(of: $0)) }
        paths = Set(house.files.map(\.path))
    }

    private static func links(in line: Substring) -> [String] {
        line.matches(of: /\]\(([^)#]+)/).map { String($0.1) }
            .filter { !$0.contains("://") }
            .map { $0.hasPrefix("../") ? String($0.dropFirst(3)) : "docs/" + $0 }
    }

    /// The names of a file's tests, as they read.
    private static func sentences(of file: House.File) -> [String] {
        file.lines.joined(separator: "\n").matches(of: /@Test\(\s*"((?:[^"\\]|\\.)*)"/)
            .map { String($0.1).replacing("\\\"", with: "\"") }
    }
}

extension Rule {
    /// Every promise and every failure mode has one row, with a test or with the reason why there is none.
    static func missingGuarantees(in guarantees: Guarantees) -> [String] {
        let expected = Guarantees.promises + Guarantees.failureModes
        let counts = Dictionary(grouping: guarantees.rows, by: \.id).mapValues(\.count)
        let wrong = expected.compactMap { id -> String? in
            switch counts[id, default: 0] {
            case 1: nil
            case 0: "\(id) has no row: add one that names its test, or says why it cannot occur"
            case let count: "\(id) has \(count) rows: make them one"
            }
        }
        let unknown = guarantees.rows.map(\.id).filter { !expected.contains($0) }
            .map { "\($0) is not known to this test: add it to the lists in Guarantees.swift" }
        let bare = guarantees.rows.filter { row in
            row.citations.isEmpty
                && !["cannot occur", "not there yet"].contains { row.text.lowercased().contains($0) }
        }
        .map { "\($0.id) has no test: name one, or write 'cannot occur' or 'not there yet', and why" }
        return (wrong + unknown + bare).map { "\(Guarantees.path): \($0)" }
    }

    /// Every test that is named is there, and says which failure mode it is about.
    static func staleCitations(in guarantees: Guarantees) -> [String] {
        let known = Dictionary(guarantees.tests.map { ($0.path, $0.sentences) }) { first, _ in first }
        return guarantees.rows.flatMap { row -> [String] in
            let stray =
                row.hasStrayQuotes
                ? ["\(row.id) has a quotation that is no test: write \"sentence\" ([Suite](../Tests/…))"] : []
            return stray
                + row.citations.compactMap { citation in
                    guard let sentences = known[citation.path] else {
                        return "\(row.id) names \(citation.path), which is not there: name the test's file"
                    }
                    guard sentences.contains(citation.sentence) else {
                        return "\(row.id) names \"\(citation.sentence)\", and \(citation.path) has no such "
                            + "test: write its name as it is now, or name another"
                    }
                    guard row.id.hasPrefix("P") || citation.sentence.contains(row.id) else {
                        return "\(row.id) names \"\(citation.sentence)\": add \(row.id) to the test's name"
                    }
                    return nil
                }
        }
        .map { "\(Guarantees.path): \($0)" }
    }

    /// Every failure mode in the name of a test has a row.
    static func unlistedFailureModes(in guarantees: Guarantees) -> [String] {
        let listed = Set(guarantees.rows.map(\.id))
        return guarantees.tests.flatMap { file in
            file.sentences.flatMap { sentence in
                sentence.matches(of: /FM-\d+/).map { String($0.0) }.filter { !listed.contains($0) }
                    .map {
                        "\(file.path): \"\(sentence)\" is about \($0), which has no row in "
                            + "\(Guarantees.path): add one, or correct the number"
                    }
            }
        }
    }

    static func brokenLinks(in guarantees: Guarantees) -> [String] {
        guarantees.links
            .filter { link in !guarantees.paths.contains { $0 == link || $0.hasPrefix(link + "/") } }
            .map { "\(Guarantees.path) links to \($0), which is not there" }
    }
}
