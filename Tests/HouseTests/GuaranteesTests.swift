import Testing

@Suite("docs/guarantees.md")
struct GuaranteesTests {
    let guarantees: Guarantees

    init() throws { guarantees = Guarantees(try House(root: House.root)) }

    @Test("has every promise and every failure mode once, each with its tests or a reason")
    func complete() { #expect(Rule.missingGuarantees(in: guarantees) == []) }

    @Test("names tests that are there, and that bear the number of what they prove")
    func citations() { #expect(Rule.staleCitations(in: guarantees) == []) }

    @Test("lists every failure mode that a test is about")
    func numbers() { #expect(Rule.unlistedFailureModes(in: guarantees) == []) }

    @Test("links to files that are there")
    func links() { #expect(Rule.brokenLinks(in: guarantees) == []) }
}

@Suite("A rule of docs/guarantees.md")
struct GuaranteesRuleTests {
    private static let test = "@Test(\n  \"is lost \\\"once\\\" (FM-01)\", arguments: [1])"

    private func guarantees(_ document: String, test: String = GuaranteesRuleTests.test) -> Guarantees {
        Guarantees(
            House(files: [
                House.File(path: Guarantees.path, text: document),
                House.File(path: "Tests/ATests/BTests.swift", text: test),
            ]))
    }

    @Test("sees a row that is missing, there twice, of no known number, or without a test and a reason")
    func rows() {
        let all = (Guarantees.promises + Guarantees.failureModes).map { "| \($0) | x | cannot occur |" }
        #expect(Rule.missingGuarantees(in: guarantees(all.joined(separator: "\n"))) == [])
        let some = all.dropLast() + [all[0], "| FM-99 | x | Not there yet: later |", "| FM-09 | x | no |"]
        let faults = Rule.missingGuarantees(in: guarantees(some.joined(separator: "\n")))
        let words = [
            "FM-56 has no row", "P1 has 2 rows", "FM-99 is not known", "FM-09 is not", "FM-09 has no test",
        ]
        #expect(faults.count == words.count)
        for word in words { #expect(faults.contains { $0.contains(word) }, "\(word)") }
    }

    @Test(
        "sees a test that is not there, in a file that is not there, or without the number",
        arguments: [
            ("| FM-01 | x | \"is lost\" ([B](../Tests/ATests/BTests.swift)) |", "has no such test"),
            ("| FM-01 | x | \"is lost\" ([C](../Tests/ATests/CTests.swift)) |", "is not there"),
            ("| FM-02 | x | \"is kept (FM-01)\" ([B](../Tests/ATests/BTests.swift)) |", "add FM-02 to"),
            ("| FM-01 | x | \"is kept (FM-01)\" |", "is no test"),
        ])
    func stale(row: String, fault: String) {
        let faults = Rule.staleCitations(in: guarantees(row, test: "@Test(\"is kept (FM-01)\") func a() {}"))
        #expect(faults.count == 1)
        #expect(faults.first?.contains(fault) == true, "\(faults)")
    }

    @Test("lets a row name several tests that are there")
    func current() {
        let citation = "\"is kept (FM-01)\" ([B](../Tests/ATests/BTests.swift))"
        let row = "| FM-01 | x | \(citation) · \(citation) |"
        #expect(Rule.staleCitations(in: guarantees(row, test: "@Test(\"is kept (FM-01)\")")) == [])
    }

    @Test("sees a test of a failure mode that has no row")
    func unlisted() {
        #expect(Rule.unlistedFailureModes(in: guarantees("| FM-02 | x | y |")).count == 1)
        #expect(Rule.unlistedFailureModes(in: guarantees("| FM-01 | x | y |")) == [])
    }

    @Test("sees a link to a file that is not there")
    func brokenLink() {
        let text = "[a](gone.md#x) [b](../Tests/ATests/BTests.swift) [c](https://example.org) [d](#here)"
        #expect(Rule.brokenLinks(in: guarantees(text)).count == 1)
    }
}
