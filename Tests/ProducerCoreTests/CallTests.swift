import Testing
import Wire

@testable import ProducerCore

@Suite("A call")
struct CallTests {
    private typealias Body = OrdersMessage.OneOf_Body

    private static let order = Submission.order

    @Test(
        "every request gets the answer of its kind",
        arguments: [
            (.watch(order, afterLanding: 4, countMax: 7, wait: true), .outcomes(OutcomeBatch())),
            (.tray(order, firstIndex: 2, countMax: 3), .tray(TrayPage())),
            (.list(.running, after: order, countMax: 5), .list(OrderList())),
            (.cancel(order), .tray(TrayPage())), (.workers, .workers(WorkerList())),
            (.stations, .stations(StationList())), (.ping, .pong(Pong())), (.submit(.of(1)), receipt()),
        ] as [(Request, OrdersMessage.OneOf_Body)])
    func answered(request: Request, answer: OrdersMessage.OneOf_Body) {
        var conversation = Conversation()
        conversation.connect()
        #expect(conversation.start(1, request).sent.map(\.request) == [2])
        #expect(conversation.answer(2, answer) == [.finish(CallID(1), .success(answer))])
        #expect(conversation.answer(2, answer) == [.note(.answerIgnored(total: 1))])
    }

    @Test("requests carry their fields")
    func fields() {
        var conversation = Conversation()
        conversation.connect()
        let watch = conversation.start(1, .watch(Self.order, afterLanding: 4, countMax: 7, wait: true)).sent[
            0
        ].watch
        #expect(watch.order == Self.order.data)
        #expect(watch.afterLanding == 4 && watch.outcomeCountMax == 7 && watch.wait)
        let tray = conversation.start(2, .tray(Self.order, firstIndex: 2, countMax: 3)).sent[0].tray
        #expect(tray.order == Self.order.data && tray.firstIndex == 2 && tray.itemCountMax == 3)
        let list = conversation.start(3, .list(.failed, after: Self.order, countMax: 5)).sent[0].list
        #expect(list.status == .failed && list.afterOrder == Self.order.data && list.orderCountMax == 5)
        #expect(!conversation.start(4, .list(nil, after: nil, countMax: 5)).sent[0].list.hasStatus)
        #expect(conversation.start(5, .cancel(Self.order)).sent[0].cancel.order == Self.order.data)
    }

    @Test("answers come in any order")
    func anyOrder() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping)
        _ = conversation.start(2, .workers)
        let workers = Body.workers(WorkerList())
        #expect(conversation.answer(3, workers) == [.finish(CallID(2), .success(workers))])
        #expect(conversation.answer(2, .pong(Pong())) == [.finish(CallID(1), .success(.pong(Pong())))])
    }

    @Test("an answer of another kind, or of none that we know, fails the call", arguments: [true, false])
    func wrongKind(hasBody: Bool) {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping)
        let actions = conversation.answer(2, hasBody ? .workers(WorkerList()) : nil)
        guard case .finish(CallID(1), .failure(.malformed)) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
    }

    @Test("a call without a deadline is asked again on every new connection, under a new number")
    func askedAgain() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .watch(Self.order, afterLanding: 4, countMax: 7, wait: true), timeout: nil)
        for _ in 0..<3 {
            _ = conversation.handle(.linkClosed)
            #expect(conversation.pass(.seconds(3600)) == [])
            #expect(conversation.connect().sent.map(\.watch.afterLanding) == [4])
        }
        #expect(conversation.answer(2, .outcomes(OutcomeBatch())) == [.note(.answerIgnored(total: 1))])
    }

    @Test("a call that nobody answers fails when its time is up, connected or not", arguments: [true, false])
    func noAnswer(isConnected: Bool) {
        var conversation = Conversation()
        if isConnected { conversation.connect() }
        _ = conversation.start(1, .workers, timeout: .milliseconds(400))
        #expect(conversation.client.nextDeadline == conversation.now.instant.advanced(by: .milliseconds(400)))
        #expect(conversation.pass(.milliseconds(399)) == [])
        #expect(conversation.pass(.milliseconds(1)) == [.finish(CallID(1), .failure(.noAnswer))])
        #expect(conversation.client.nextDeadline == nil)
    }

    @Test("calls whose time is up at once fail in the order in which they were started")
    func expireTogether() {
        var conversation = Conversation()
        for id in 1...5 as ClosedRange<UInt64> { _ = conversation.start(id, .ping, timeout: .seconds(1)) }
        #expect(
            conversation.pass(.seconds(2))
                == (1...5).map { .finish(CallID($0), .failure(.noAnswer)) })
    }

    @Test("the answer to an abandoned call is counted and ignored")
    func abandoned() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping)
        #expect(conversation.handle(.abandon(CallID(1))) == [])
        #expect(conversation.answer(2, .pong(Pong())) == [.note(.answerIgnored(total: 1))])
        #expect(conversation.client.nextDeadline == nil)
    }

    @Test("abandoning a call that has ended, or never was, changes nothing")
    func abandonedTwice() {
        var conversation = Conversation()
        #expect(conversation.handle(.abandon(CallID(1))) == [])
    }

    @Test(
        "a refusal fails the call with its reason",
        arguments: [
            (.invalid, .invalid(message: "so it is")), (.conflict, .conflict(message: "so it is")),
            (.notFound, .notFound(message: "so it is")), (.unsupported, .unsupported(message: "so it is")),
            (.malformed, .malformed(message: "so it is")),
            (.UNRECOGNIZED(99), .malformed(message: "so it is")),
            (.notAuthorised, .notAuthorised(message: "so it is")),
        ] as [(Refusal.Reason, CallError)])
    func refused(reason: Refusal.Reason, error: CallError) {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .submit(.of(1)))
        #expect(conversation.answer(2, .refusal(.of(reason))) == [.finish(CallID(1), .failure(error))])
    }

    @Test(
        "a call that is refused for now is asked again after the pause",
        arguments: [.full, .unavailable] as [Refusal.Reason])
    func postponed(reason: Refusal.Reason) {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .submit(.of(1)))
        let actions = conversation.answer(2, .refusal(.of(reason, retryAfterMs: 200)))
        #expect(actions == [.note(.postponed(CallID(1), .milliseconds(200), message: "so it is"))])
        #expect(conversation.pass(.milliseconds(199)) == [])
        #expect(conversation.pass(.milliseconds(1)).submits.map(\.order) == [Self.order.data])
        #expect(conversation.answer(3, receipt()) == [.finish(CallID(1), .success(receipt()))])
    }

    @Test("a refuser that names no pause is asked again after 50 ms")
    func shortestPause() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping)
        _ = conversation.answer(2, .refusal(.of(.full)))
        #expect(conversation.pass(.milliseconds(49)) == [])
        #expect(conversation.pass(.milliseconds(1)).sent.count == 1)
    }

    @Test("a call fails as refused when the pause would outlast its time")
    func refusedForLong() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping, timeout: .seconds(2))
        let error = CallError.refused(message: "so it is", retryAfter: .seconds(2))
        #expect(
            conversation.answer(2, .refusal(.of(.full, retryAfterMs: 2_000))) == [
                .finish(CallID(1), .failure(error))
            ])
    }

    @Test("a call that was refused, and then got no answer, fails as refused")
    func refusedThenSilent() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping, timeout: .seconds(2))
        _ = conversation.answer(2, .refusal(.of(.full, retryAfterMs: 1_000)))
        _ = conversation.handle(.linkClosed)
        #expect(conversation.pass(.seconds(1)) == [])
        let error = CallError.refused(message: "so it is", retryAfter: .seconds(1))
        #expect(conversation.pass(.seconds(1)) == [.finish(CallID(1), .failure(error))])
    }

    @Test("a pause outlives the connection: nothing is asked before it is over")
    func pauseOutlivesLink() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping)
        _ = conversation.answer(2, .refusal(.of(.full, retryAfterMs: 1_000)))
        _ = conversation.handle(.linkClosed)
        #expect(conversation.connect() == [])
        #expect(conversation.pass(.seconds(1)).sent.count == 1)
    }

    @Test("a pause that ends without a connection waits for one")
    func pauseEndsAway() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping)
        _ = conversation.answer(2, .refusal(.of(.full, retryAfterMs: 1_000)))
        _ = conversation.handle(.linkClosed)
        #expect(conversation.pass(.seconds(1)) == [])
        #expect(conversation.connect().sent.count == 1)
    }
}
