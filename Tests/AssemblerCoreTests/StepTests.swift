import Testing

@testable import AssemblerCore

@Suite("A step")
struct StepTests {
    private func step(_ numbers: Range<UInt64>) -> Step {
        Step(
            changes: [], actions: numbers.map { .note(.workerLeft(name: "worker-\($0)", session: $0)) })
    }

    /// The longer of two is not copied, whichever that is.
    @Test(
        "is followed by the one that is appended, however long each is",
        arguments: [(0, 3), (3, 0), (1, 5), (5, 1), (4, 4)] as [(UInt64, UInt64)])
    func order(first: UInt64, second: UInt64) {
        var joined = step(0..<first)
        joined.append(step(first..<first + second))
        #expect(joined == step(0..<first + second))
    }
}
