import Testing

@testable import Service

@Suite("Flags")
struct FlagsTests {
    @Test(
        "the first that is given twice is named",
        arguments: [
            (["--a", "--b", "--a"], "--a"), (["--a=1", "x", "--a", "2"], "--a"),
            (["--b", "--b", "--a", "--a"], "--b"),
        ])
    func givenTwice(arguments: [String], expected: String) {
        #expect(Flags.givenTwice(in: arguments) == expected)
    }

    @Test(
        "one that stands there once, may be repeated, or is none is not",
        arguments: [
            ["--a", "--b"], ["--station", "x", "--station", "y"], ["--a", "--", "--a"], ["-", "-", "a", "a"],
        ])
    func fine(arguments: [String]) {
        #expect(Flags.givenTwice(in: arguments, repeatable: ["--station"]) == nil)
    }
}
