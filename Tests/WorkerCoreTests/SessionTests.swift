import Testing
import Wire

@testable import WorkerCore

@Suite("The session with the assembler")
struct SessionTests {
    @Test("a fresh link begins with a hello that has no session number")
    func helloOpens() {
        var bench = Bench()
        #expect(bench.core.nextDeadline == nil)
        #expect(bench.handle(.linkOpened) == [.send(hello())])
        #expect(bench.core.nextDeadline == Instant(nanoseconds: 2_000_000_000))
    }

    @Test("the welcome's session number is in everything that follows, the first heartbeat at once")
    func welcomeBegins() {
        var bench = Bench()
        _ = bench.handle(.linkOpened)
        #expect(
            bench.round(.received(welcome(session: 9))) == [
                .note(.welcomed(name: "worker-1", session: 9)), .send(heartbeat(session: 9)),
            ])
        #expect(
            bench.round(leases(lease(1))) == [.start(lease(1)), .send(started(1, session: 9))])
    }

    @Test("a heartbeat goes out every interval, and a late tick owes no more than one")
    func heartbeats() {
        var bench = Bench.working()
        #expect(bench.core.nextDeadline == Instant(nanoseconds: 500_000_000))
        #expect(bench.after(.milliseconds(499)) == [])
        #expect(bench.after(.milliseconds(1)) == [.send(heartbeat())])
        #expect(bench.after(.milliseconds(2_300)) == [.send(heartbeat())])
        #expect(bench.after(.milliseconds(499)) == [])
    }

    @Test("a hello without an answer for two seconds gives the link up")
    func unansweredHello() {
        var bench = Bench()
        _ = bench.handle(.linkOpened)
        #expect(bench.after(.milliseconds(1_999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.note(.helloUnanswered), .resetLink])
        #expect(bench.core.nextDeadline == nil)
        #expect(bench.handle(.linkOpened) == [.send(hello())])
    }

    @Test("three heartbeat limits of silence give the link up (FM-40)")
    func silence() {
        var bench = Bench.working()
        _ = bench.after(.milliseconds(5_999))
        #expect(bench.after(.milliseconds(1)) == [.note(.assemblerSilent(.seconds(6))), .resetLink])
    }

    @Test(
        "anything that is heard ends the silence",
        arguments: [
            .received(KitchenMessage.with { $0.heartbeat = Heartbeat() }), ack(99), revoke(99), leases(),
            refusal(.malformed), .received(KitchenMessage()),
        ] as [WorkerMachine.Input])
    func hearing(input: WorkerMachine.Input) {
        var bench = Bench.working()
        _ = bench.after(.seconds(5))
        _ = bench.round(input)
        #expect(!bench.after(.seconds(5)).contains(.resetLink))
    }

    @Test("a second welcome changes nothing")
    func secondWelcome() {
        var bench = Bench.working()
        #expect(bench.round(.received(welcome(session: 8))) == [])
        #expect(bench.after(.milliseconds(500)) == [.send(heartbeat(session: 7))])
    }

    @Test("a welcome outside of any session changes nothing")
    func unaskedWelcome() {
        var bench = Bench()
        #expect(bench.round(.received(welcome())) == [])
        #expect(bench.core.nextDeadline == nil)
    }

    @Test(
        "a welcome that breaks the contract gives the link up",
        arguments: [
            welcome(version: 2), welcome(session: 0),
            KitchenMessage.with {
                $0.welcome = welcome().welcome
                $0.welcome.heartbeatIntervalMs = 0
            },
            KitchenMessage.with {
                $0.welcome = welcome().welcome
                $0.welcome.heartbeatLimit = 0
            },
        ])
    func unusableWelcome(message: KitchenMessage) {
        var bench = Bench()
        _ = bench.handle(.linkOpened)
        #expect(bench.round(.received(message)) == [.note(.unusableWelcome), .resetLink])
        #expect(bench.core.nextDeadline == nil)
    }

    @Test("a refused session is given up for a fresh one")
    func refusedSession() {
        var bench = Bench.working()
        let refused = Refusal.with {
            $0.reason = .session
            $0.message = "who?"
            $0.versions.lowest = 2
            $0.versions.highest = 3
        }
        #expect(bench.round(refusal(.session, message: "who?")) == [.note(.refused(refused)), .resetLink])
        #expect(bench.round(.linkClosed) == [])
        #expect(bench.round(.linkOpened) == [.send(hello())])
    }

    @Test("an assembler without a common version ends the worker, which names both ranges")
    func noCommonVersion() {
        var bench = Bench()
        _ = bench.handle(.linkOpened)
        let theirs = VersionRange.with {
            $0.lowest = 2
            $0.highest = 3
        }
        #expect(
            bench.round(refusal(.version, message: "too old"))
                == [.finished(.noCommonVersion(theirs: theirs, message: "too old"))])
        #expect(bench.core.nextDeadline == nil)
        #expect(bench.round(.linkOpened, .drain, .hurry) == [])
    }

    @Test("a worker that is not authorised ends")
    func notAuthorised() {
        var bench = Bench()
        _ = bench.handle(.linkOpened)
        #expect(
            bench.round(refusal(.notAuthorised, message: "no key"))
                == [.finished(.notAuthorised(message: "no key"))])
    }

    @Test("a hello that is refused for now is said again after two seconds, on a fresh link")
    func refusedForNow() {
        var bench = Bench()
        _ = bench.handle(.linkOpened)
        let message = refusal(.unavailable, retryAfter: .zero)
        #expect(bench.round(.received(message)) == [.note(.refused(message.refusal))])
        #expect(bench.after(.milliseconds(1_999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.resetLink])
        #expect(bench.round(.linkOpened) == [.send(hello())])
    }

    @Test("a refused hello is not said again sooner than the assembler allows, nor an hour later")
    func retryAfter() {
        for (asked, kept) in [(30, 30), (3_600, 3_600), (1 << 50, 3_600)] as [(Int64, Int64)] {
            var bench = Bench()
            _ = bench.handle(.linkOpened)
            bench.pass(.seconds(1))
            _ = bench.round(.received(refusal(.full, retryAfter: .seconds(asked))))
            #expect(bench.core.nextDeadline == bench.now.instant.advanced(by: .seconds(kept)))
            #expect(bench.round(.received(welcome())) == [], "what was refused is not welcome later")
            #expect(bench.after(.seconds(kept) - .milliseconds(1)) == [])
            #expect(bench.after(.milliseconds(1)) == [.resetLink])
        }
    }

    @Test("a refused hello is said at once on a connection that comes of itself: to another assembler")
    func refusedThenReopened() {
        var bench = Bench()
        _ = bench.handle(.linkOpened)
        _ = bench.round(.received(refusal(.full, retryAfter: .seconds(30))))
        #expect(bench.round(.linkClosed) == [])
        #expect(bench.core.nextDeadline == nil)
        #expect(bench.round(.linkOpened) == [.send(hello())])
    }

    @Test("a message that is refused within a session ends nothing")
    func refusedMessage() {
        var bench = Bench.working()
        let message = refusal(.unavailable, retryAfter: .seconds(30))
        #expect(bench.round(.received(message)) == [.note(.refused(message.refusal))])
        #expect(bench.after(.milliseconds(500)) == [.send(heartbeat())])
    }

    @Test("what cannot be read ends the connection: leases may be lost with it, and a hello says so (FM-40)")
    func undecodable() {
        var bench = Bench.working()
        #expect(
            bench.round(.undecodable(.frameCount(3))) == [.note(.undecodable(.frameCount(3))), .resetLink])
        #expect(bench.round(leases(lease(1))) == [])
    }

    @Test("a message of a later version is noted, and ends nothing")
    func unknownMessage() {
        var bench = Bench.working()
        #expect(bench.round(.received(KitchenMessage())) == [.note(.undecodable(.unknownBody))])
        #expect(bench.round(leases(lease(1))) == [.start(lease(1)), .send(started(1))])
    }

    @Test("a lease before the welcome is not run")
    func leaseBeforeWelcome() {
        var bench = Bench()
        _ = bench.handle(.linkOpened)
        #expect(bench.round(leases(lease(1))) == [])
    }

    @Test("away from the assembler nothing is sent, and handlers run on")
    func away() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1), lease(2)))
        #expect(bench.round(.linkClosed) == [])
        #expect(bench.after(.seconds(60)) == [])
        #expect(bench.round(.handlerEnded(id(1), .done(text("ok")))) == [])
        #expect(bench.round(.linkOpened) == [.send(hello(running: [claim(2)], held: [claim(1)]))])
    }

    @Test("a link that opens again without a word about its close begins again")
    func reopened() {
        var bench = Bench.working()
        #expect(bench.round(.linkOpened) == [.send(hello())])
        #expect(
            bench.round(.received(welcome(session: 8))) == [
                .note(.welcomed(name: "worker-1", session: 8)), .send(heartbeat(session: 8)),
            ])
    }
}
