import Testing
import Wire

@testable import ProducerCore

@Suite("A submission")
struct SubmissionTests {
    /// A connected conversation in which `submission` was started; its opening is request 2.
    private static func opened(
        _ submission: Submission, timeout: Duration = .seconds(10)
    ) -> (Conversation, [Client.Action]) {
        var conversation = Conversation()
        conversation.connect()
        let actions = conversation.start(1, .submit(submission), timeout: timeout)
        return (conversation, actions)
    }

    private static let accepted = Client.Action.finish(CallID(1), .success(receipt()))

    @Test("a small order travels whole", arguments: [0, 1, 256])
    func whole(count: Int) {
        var (conversation, actions) = Self.opened(.of(count))
        let submit = actions.submits[0]
        #expect(actions.count == 1 && submit.items.count == count && submit.itemCount == count)
        #expect(
            submit.order == Submission.order.data
                && submit.fingerprint.elementsEqual([UInt8](repeating: 5, count: 32)))
        #expect(conversation.answer(2, receipt()) == [Self.accepted])
    }

    @Test("pages hold at most 256 items and 1 MiB of payload, but never none")
    func pageLimits() {
        #expect(Submission.of(300).pageRange(from: 0, itemCountMax: 256) == 0..<256)
        #expect(Submission.of(300).pageRange(from: 256, itemCountMax: 256) == 256..<300)
        #expect(Submission.of(9, byteCount: 300_000).pageRange(from: 0, itemCountMax: 256) == 0..<3)
        #expect(Submission.of(9, byteCount: 1 << 20).pageRange(from: 4, itemCountMax: 256) == 4..<5)
        #expect(Submission.of(9, byteCount: 2 << 20).pageRange(from: 4, itemCountMax: 256) == 4..<5)
    }

    @Test(
        "an assembler may ask for smaller pages, not for larger ones",
        arguments: [(10, 10), (0, 256), (9_999, 256)])
    func pageItemCount(theirs: UInt32, expected: Int) {
        var conversation = Conversation()
        conversation.connect(pageItemCountMax: theirs)
        #expect(conversation.start(1, .submit(.of(1_000))).submits[0].items.count == expected)
    }

    @Test("nothing but the opening is sent before it is taken; then at most 4 pages are without an answer")
    func window() {
        var (conversation, actions) = Self.opened(.of(2_000))
        #expect(actions.count == 1)
        let pages = conversation.answer(2, taken(256)).pages
        #expect(pages.map(\.firstIndex) == [256, 512, 768, 1_024])
        #expect(pages.allSatisfy { $0.order == Submission.order.data && $0.items.count == 256 })
        #expect(conversation.answer(3, taken(512)).pages.map(\.firstIndex) == [1_280])
        #expect(conversation.answer(4, taken(768)).pages.map(\.firstIndex) == [1_536])
        let last = conversation.answer(5, taken(1_024)).pages
        #expect(last.map(\.firstIndex) == [1_792] && last[0].items.count == 208)
        for request in 6...8 as ClosedRange<UInt64> {
            #expect(conversation.answer(request, taken(UInt32(request - 1) * 256)) == [])
        }
        #expect(conversation.answer(9, receipt()) == [Self.accepted])
    }

    @Test("after a lost connection the same order is opened again and goes on where the assembler says")
    func resumed() {
        var (conversation, first) = Self.opened(.of(2_000))
        _ = conversation.answer(2, taken(256))
        _ = conversation.answer(3, taken(512))
        _ = conversation.handle(.linkClosed)
        let again = conversation.connect()
        #expect(again.submits == first.submits, "the id is drawn once")
        let request = again.sent[0].request
        #expect(
            conversation.answer(request, taken(768)).pages.map(\.firstIndex) == [768, 1_024, 1_280, 1_536])
    }

    @Test("a receipt that was lost with its connection is told again, and makes no second order")
    func lostReceipt() {
        var (conversation, first) = Self.opened(.of(3))
        _ = conversation.handle(.linkClosed)
        let again = conversation.connect()
        #expect(again.submits == first.submits)
        let known = receipt(known: true)
        #expect(conversation.answer(again.sent[0].request, known) == [.finish(CallID(1), .success(known))])
    }

    @Test("a receipt ends the submission even with pages in flight")
    func earlyReceipt() {
        var (conversation, _) = Self.opened(.of(2_000))
        _ = conversation.answer(2, taken(256))
        #expect(conversation.answer(3, receipt()) == [Self.accepted])
        #expect(conversation.answer(4, taken(768)) == [.note(.answerIgnored(total: 1))])
    }

    @Test("pages that the assembler has already are skipped")
    func skipped() {
        var (conversation, _) = Self.opened(.of(3_000))
        _ = conversation.answer(2, taken(256))
        #expect(conversation.answer(3, taken(2_048)).pages.map(\.firstIndex) == [2_048])
    }

    @Test("of a key that somebody else began goes on under that order's id, and opens under its own (FM-08)")
    func otherHalf() {
        let other = OrderID(high: 1, low: 2)
        var (conversation, first) = Self.opened(.of(2_000))
        let pages = conversation.answer(2, taken(512, of: other)).pages
        #expect(pages.map(\.firstIndex) == [512, 768, 1_024, 1_280])
        #expect(pages.allSatisfy { $0.order == other.data })
        let again = conversation.answer(3, .refusal(.of(.notFound)))
        #expect(again.submits == first.submits)
        let request = again.sent[0].request
        #expect(
            conversation.answer(request, taken(256)).pages.allSatisfy { $0.order == Submission.order.data })
        let accepted = receipt(other, known: true)
        #expect(conversation.answer(request + 1, accepted) == [.finish(CallID(1), .success(accepted))])
    }

    @Test("a page that is answered for another order, or for none, breaks the contract", arguments: [16, 15])
    func pageOfOther(byteCount: Int) {
        var (conversation, _) = Self.opened(.of(2_000))
        _ = conversation.answer(2, taken(256))
        let actions = conversation.answer(
            3,
            .pageTaken(
                .with {
                    $0.order = .init(repeating: 1, count: byteCount)
                    $0.nextIndex = 512
                }))
        guard case .finish(CallID(1), .failure(.malformed)) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
    }

    @Test("when the assembler lacks what it had taken, the order is opened again")
    func disagreement() {
        var (conversation, first) = Self.opened(.of(2_000))
        _ = conversation.answer(2, taken(256))
        let again = conversation.answer(4, taken(512))
        #expect(again.submits == first.submits)
        #expect(conversation.answer(3, taken(512)) == [.note(.answerIgnored(total: 1))])
        #expect(conversation.answer(again.sent[0].request, taken(512)).pages.first?.firstIndex == 512)
    }

    @Test("when the assembler has given the half order up, it is opened again (FM-08)")
    func givenUp() {
        var (conversation, first) = Self.opened(.of(2_000))
        _ = conversation.answer(2, taken(256))
        #expect(conversation.answer(3, .refusal(.of(.notFound))).submits == first.submits)
    }

    @Test("a page that is refused for now postpones the order, which is then opened again")
    func postponedPage() {
        var (conversation, first) = Self.opened(.of(2_000))
        _ = conversation.answer(2, taken(256))
        let actions = conversation.answer(3, .refusal(.of(.full, retryAfterMs: 100)))
        #expect(actions == [.note(.postponed(CallID(1), .milliseconds(100), message: "so it is"))])
        #expect(conversation.answer(4, .refusal(.of(.invalid))) == [.note(.answerIgnored(total: 1))])
        #expect(conversation.pass(.milliseconds(100)).submits == first.submits)
    }

    @Test("every page that is taken gives the order its time anew")
    func progress() {
        var (conversation, _) = Self.opened(.of(2_000), timeout: .seconds(2))
        var inFlight = conversation.answer(2, taken(256)).sent
        for page in 1...6 as ClosedRange<UInt32> {
            #expect(conversation.pass(.milliseconds(1_500)).allSatisfy { !$0.isFinish })
            let request = inFlight.removeFirst().request
            inFlight += conversation.answer(request, taken((page + 1) * 256)).sent
        }
        #expect(conversation.pass(.milliseconds(1_999)).allSatisfy { !$0.isFinish })
        #expect(conversation.pass(.milliseconds(1)) == [.finish(CallID(1), .failure(.noAnswer))])
    }

    @Test("opening again and again without a page taken is no progress: the time runs out")
    func noProgress() {
        var (conversation, _) = Self.opened(.of(2_000), timeout: .seconds(2))
        _ = conversation.answer(2, taken(256))
        var request = conversation.answer(3, .refusal(.of(.notFound))).sent.last?.request ?? 0
        for _ in 0..<3 {
            _ = conversation.pass(.milliseconds(500))
            let page = conversation.answer(request, taken(256)).sent.first?.request ?? 0
            request = conversation.answer(page, .refusal(.of(.notFound))).sent.last?.request ?? 0
        }
        #expect(conversation.pass(.milliseconds(500)) == [.finish(CallID(1), .failure(.noAnswer))])
    }

    @Test(
        "all items taken without a receipt, or more than there are, breaks the contract",
        arguments: [256, 300, 301])
    func noReceipt(nextIndex: UInt32) {
        var (conversation, _) = Self.opened(.of(300))
        var actions = conversation.answer(2, taken(nextIndex))
        if nextIndex == 256 { actions = conversation.answer(3, taken(300)) }
        guard case .finish(CallID(1), .failure(.malformed)) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
    }

    @Test("an abandoned submission sends nothing more")
    func abandoned() {
        var (conversation, _) = Self.opened(.of(2_000))
        _ = conversation.answer(2, taken(256))
        _ = conversation.handle(.abandon(CallID(1)))
        #expect(conversation.answer(3, taken(512)) == [.note(.answerIgnored(total: 1))])
        _ = conversation.handle(.linkClosed)
        #expect(conversation.connect() == [])
    }
}

extension Client.Action {
    fileprivate var isFinish: Bool {
        guard case .finish = self else { return false }
        return true
    }
}
