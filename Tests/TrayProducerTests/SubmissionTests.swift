import Testing
import Wire

@testable import TrayProducer

@Suite("An order as it travels")
struct SubmissionTests {
    private static func order(_ change: (inout NewOrder) -> Void = { _ in }) -> NewOrder {
        var order = NewOrder(
            items: [
                NewItem(name: "burger", station: "grill", payload: .json("{}")),
                NewItem(name: "fries", station: "fryer", payload: .bytes([1, 2])),
            ])
        change(&order)
        return order
    }

    @Test("what is not said does not travel: the assembler's defaults hold")
    func defaults() throws {
        let submission = try Self.order().submission()
        #expect(submission.spec == OrderSpec())
        #expect(!submission.items[0].hasTimeoutMs && !submission.items[0].hasAttemptsMax)
    }

    @Test("all that is said travels")
    func fields() throws {
        let order = Self.order {
            $0.name = "lunch-set"
            $0.key = "today"
            $0.failure = .tolerateShare(hundredthsOfPercent: 500)
            $0.enough = 1
            $0.maxParallel = 2
            $0.deadline = .after(.seconds(30))
            $0.priority = -3
            $0.notBefore = WallTime(milliseconds: 77)
            $0.items[0].timeout = .milliseconds(1_500)
            $0.items[0].attemptsMax = 5
        }
        let submission = try order.submission()
        #expect(
            submission.spec
                == .with {
                    $0.name = "lunch-set"
                    $0.key = "today"
                    $0.failure = .tolerateShare
                    $0.tolerated = 500
                    $0.enough = 1
                    $0.maxParallel = 2
                    $0.deadlineMs = 30_000
                    $0.priority = -3
                    $0.notBeforeMs = 77
                })
        #expect(submission.order == order.id)
        #expect(submission.items[0].timeoutMs == 1_500 && submission.items[0].attemptsMax == 5)
        #expect(submission.items[1].payload == .bytes([1, 2]))
    }

    @Test("no deadline is written as 0, which is not the same as none written")
    func noDeadline() throws {
        let spec = try Self.order { $0.deadline = .none }.submission().spec
        #expect(spec.hasDeadlineMs && spec.deadlineMs == 0)
    }

    /// What breaks a limit, and the begin of what is said about it.
    private struct Wrong: Sendable {
        let message: String
        let change: @Sendable (inout NewOrder) -> Void

        init(_ message: String, _ change: @escaping @Sendable (inout NewOrder) -> Void) {
            self.message = message
            self.change = change
        }
    }

    private static let wrongs = [
        Wrong("name: it has 201 bytes") { $0.name = String(repeating: "n", count: 201) },
        Wrong("key: it has 202 bytes") { $0.key = String(repeating: "ä", count: 101) },
        Wrong("enough: 3 is not in 1 to 2") { $0.enough = 3 },
        Wrong("max_parallel: 0 is not in 1 to") { $0.maxParallel = 0 },
        Wrong("deadline: ") { $0.deadline = .after(.microseconds(999)) },
        Wrong("priority: 101 is not in -100 to 100") { $0.priority = 101 },
        Wrong("failure: -1 is not in 0 to") { $0.failure = .tolerate(count: -1) },
        Wrong("failure: 10001 is not in 0 to 10000") {
            $0.failure = .tolerateShare(hundredthsOfPercent: 10_001)
        },
        Wrong("items[1].station: '' is no station") { $0.items[1].station = "" },
        Wrong("items[0].name: it has 201 bytes") { $0.items[0].name = String(repeating: "n", count: 201) },
        Wrong("items[0].timeout: ") { $0.items[0].timeout = .zero },
        Wrong("items[0].max_attempts: 1001 is not in 1 to 1000") { $0.items[0].attemptsMax = 1_001 },
        Wrong("items[1].payload: it has 1048577 bytes") {
            $0.items[1].payload = .bytes([UInt8](repeating: 0, count: 1_048_577))
        },
    ]

    @Test("every field outside its limits is named", arguments: wrongs.indices)
    func limits(index: Int) throws {
        let wrong = Self.wrongs[index]
        let error = #expect(throws: ProducerError.self) { try Self.order(wrong.change).submission() }
        #expect(error?.description.contains(wrong.message) == true, "\(String(describing: error))")
    }

    @Test("the same content has the same fingerprint, whatever its id and key")
    func sameContent() throws {
        let one = try Self.order().submission().fingerprint
        let other = try Self.order { $0.key = "again" }.submission().fingerprint
        #expect(one == other && Limits.fingerprintBytesRange.contains(one.count))
    }

    @Test(
        "other content has another fingerprint",
        arguments: [
            { $0.name = "other" }, { $0.deadline = .none }, { $0.items.swapAt(0, 1) },
            { $0.items.removeLast() },
            { $0.items[0].payload = .text("{}") }, { $0.items[1].timeout = .seconds(600) },
        ] as [@Sendable (inout NewOrder) -> Void])
    func otherContent(change: @Sendable (inout NewOrder) -> Void) throws {
        #expect(try Self.order().submission().fingerprint != Self.order(change).submission().fingerprint)
    }
}
