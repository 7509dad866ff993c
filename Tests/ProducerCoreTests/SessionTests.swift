import Testing
import Wire

@testable import ProducerCore

@Suite("A producer's session")
struct SessionTests {
    private static let pong = OrdersMessage.OneOf_Body.pong(Pong())

    @Test("a fresh link says hello, and nothing else before the welcome")
    func hello() {
        var conversation = Conversation()
        #expect(conversation.start(1, .ping) == [])
        let sent = conversation.handle(.linkOpened).sent
        #expect(sent.count == 1)
        #expect(sent.first?.hello.versions == Frames.versions)
        #expect(sent.first?.hello.program == "producer/test")
        #expect(conversation.start(2, .workers) == [])
    }

    @Test("the welcome lets all calls out, in the order in which they were started")
    func welcome() {
        var conversation = Conversation()
        _ = conversation.start(1, .ping)
        _ = conversation.start(2, .workers)
        _ = conversation.start(3, .stations)
        #expect(
            conversation.connect().sent.map(\.body) == [
                .ping(Ping()), .workers(WorkersRequest()), .stations(StationsRequest()),
            ])
    }

    @Test("a second welcome changes nothing and is counted")
    func secondWelcome() {
        var conversation = Conversation()
        conversation.connect()
        #expect(
            conversation.answer(1, .welcome(.with { $0.version = 1 })) == [.note(.answerIgnored(total: 1))])
    }

    @Test("what an earlier connection still says is ignored")
    func lateMessage() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.handle(.linkClosed)
        #expect(conversation.answer(1, Self.pong) == [.note(.answerIgnored(total: 1))])
        #expect(conversation.answer(1, Self.pong) == [.note(.answerIgnored(total: 2))])
    }

    @Test("a version refusal fails every call, later ones too, and names both ranges")
    func versionRefusal() {
        let theirs = VersionRange.with {
            $0.lowest = 2
            $0.highest = 3
        }
        let refusal = Refusal.with {
            $0.reason = .version
            $0.versions = theirs
        }
        let failure = Result<OrdersMessage.OneOf_Body, CallError>
            .failure(.version(ours: Frames.versions, theirs: theirs))
        var conversation = Conversation()
        _ = conversation.start(1, .ping)
        _ = conversation.start(2, .workers)
        _ = conversation.handle(.linkOpened)
        #expect(
            conversation.answer(1, .refusal(refusal)) == [
                .note(.helloRefused(refusal)), .finish(CallID(1), failure), .finish(CallID(2), failure),
            ])
        #expect(conversation.start(3, .ping) == [.finish(CallID(3), failure)])
        #expect(conversation.pass(.seconds(3600)) == [])
        #expect(conversation.handle(.linkOpened).sent.count == 1, "an upgraded assembler gets a new hello")
    }

    @Test("a welcome to a version that is not ours fails every call")
    func strangeWelcome() {
        var conversation = Conversation()
        _ = conversation.start(1, .ping)
        _ = conversation.handle(.linkOpened)
        let actions = conversation.answer(1, .welcome(.with { $0.version = 9 }))
        let error = CallError.malformed(message: "the welcome names version 9, not one of ours")
        #expect(actions == [.finish(CallID(1), .failure(error))])
    }

    @Test("a hello that could not be read is refused under no number, and calls say so")
    func unreadHello() {
        var conversation = Conversation()
        _ = conversation.start(1, .ping)
        _ = conversation.handle(.linkOpened)
        let refusal = Refusal.of(.malformed)
        #expect(
            conversation.answer(0, .refusal(refusal)) == [
                .note(.helloRefused(refusal)),
                .finish(CallID(1), .failure(.malformed(message: "so it is"))),
            ])
    }

    @Test("a hello that is refused for now is said again after the pause")
    func postponedHello() {
        var conversation = Conversation()
        _ = conversation.handle(.linkOpened)
        let refusal = Refusal.of(.unavailable, retryAfterMs: 300)
        #expect(conversation.answer(1, .refusal(refusal)) == [.note(.helloRefused(refusal))])
        #expect(conversation.pass(.milliseconds(299)) == [])
        #expect(conversation.pass(.milliseconds(1)).sent.map(\.hello.program) == ["producer/test"])
    }

    @Test("a call whose time is up while the assembler takes no hello fails as refused")
    func expiresWhileRefused() {
        var conversation = Conversation()
        _ = conversation.start(1, .ping, timeout: .seconds(1))
        _ = conversation.handle(.linkOpened)
        _ = conversation.answer(1, .refusal(.of(.unavailable, retryAfterMs: 5_000)))
        let error = CallError.refused(message: "so it is", retryAfter: .seconds(5))
        #expect(conversation.pass(.seconds(1)) == [.finish(CallID(1), .failure(error))])
    }

    @Test(
        "a session that the assembler does not know makes a fresh connection",
        arguments: [0, 1, 2] as [UInt64])
    func unknownSession(request: UInt64) {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping)
        #expect(conversation.answer(request, .refusal(.of(.session))) == [.resetLink])
        #expect(conversation.connect().sent.map(\.body) == [.ping(Ping())])
    }

    @Test("an unknown session in answer to the hello makes a fresh connection")
    func unknownSessionAtHello() {
        var conversation = Conversation()
        _ = conversation.handle(.linkOpened)
        let refusal = Refusal.of(.session)
        #expect(conversation.answer(1, .refusal(refusal)) == [.note(.helloRefused(refusal)), .resetLink])
    }

    @Test("an answer to the hello that is no welcome makes a fresh connection")
    func noWelcome() {
        var conversation = Conversation()
        _ = conversation.handle(.linkOpened)
        #expect(conversation.answer(1, Self.pong) == [.note(.undecodable(.unknownBody)), .resetLink])
    }

    @Test("what is not of the contract makes a fresh connection, and calls are asked again")
    func undecodable() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .ping)
        #expect(
            conversation.handle(.undecodable(.undecodable)) == [
                .note(.undecodable(.undecodable)), .resetLink,
            ])
        #expect(conversation.connect().sent.count == 1)
    }

    @Test("a hello that nobody answers for 6 s makes a fresh connection (FM-40)")
    func unansweredHello() {
        var conversation = Conversation()
        _ = conversation.handle(.linkOpened)
        #expect(conversation.client.nextDeadline == conversation.now.instant.advanced(by: .seconds(6)))
        #expect(conversation.pass(.milliseconds(5_999)) == [])
        #expect(conversation.pass(.milliseconds(1)) == [.note(.assemblerSilent(.seconds(6))), .resetLink])
        #expect(conversation.client.nextDeadline == nil)
    }
}

@Suite("A producer's pulse")
struct PulseTests {
    private static let pong = OrdersMessage.OneOf_Body.pong(Pong())
    private static let watch = Request.watch(Submission.order, afterLanding: 0, countMax: 10, wait: true)

    @Test("a client that asks nothing sends no pings and never gives up")
    func resting() {
        var conversation = Conversation()
        conversation.connect()
        #expect(conversation.client.nextDeadline == nil)
        #expect(conversation.pass(.seconds(3600)) == [])
    }

    @Test("while something is asked, a ping goes out after every 500 ms of quiet")
    func pings() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, Self.watch, timeout: nil)
        #expect(conversation.pass(.milliseconds(499)) == [])
        for _ in 0..<20 {
            let sent = conversation.pass(.milliseconds(500)).sent
            #expect(sent.map(\.body) == [.ping(Ping())])
            #expect(
                conversation.answer(sent[0].request, Self.pong) == [],
                "its answer is traffic, and nothing more")
        }
    }

    @Test("an assembler that is silent for 6 s while something is asked is given up, and asked again (FM-40)")
    func silence() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.pass(.seconds(100))
        _ = conversation.start(1, Self.watch, timeout: nil)
        #expect(conversation.pass(.milliseconds(500)).sent.count == 1)
        #expect(conversation.pass(.milliseconds(5_499)) == [])
        #expect(conversation.pass(.milliseconds(1)) == [.note(.assemblerSilent(.seconds(6))), .resetLink])
        #expect(conversation.connect().sent.map(\.watch.outcomeCountMax) == [10])
    }

    @Test("any message counts as life, even one that nobody waits for")
    func traffic() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, Self.watch, timeout: nil)
        _ = conversation.pass(.milliseconds(5_900))
        _ = conversation.answer(999, Self.pong)
        #expect(conversation.pass(.milliseconds(400)) == [])
        #expect(conversation.pass(.milliseconds(100)).sent.count == 1)
    }

    @Test("pings end with the last call")
    func rests() {
        var conversation = Conversation()
        conversation.connect()
        _ = conversation.start(1, .workers)
        #expect(conversation.answer(2, .workers(WorkerList())).count == 1)
        #expect(conversation.client.nextDeadline == nil)
    }
}
