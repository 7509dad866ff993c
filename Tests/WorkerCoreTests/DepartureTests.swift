import Testing
import Wire

@testable import WorkerCore

@Suite("Going away")
struct DepartureTests {
    private let stopped = WorkerMachine.Input.handlerEnded(
        id(1), .failed(message: "terminated", isPermanent: false))

    @Test("an idle worker says farewell at once")
    func idleDrain() {
        var bench = Bench.working()
        #expect(
            bench.round(.drain) == [
                .note(.draining(runningCount: 0, heldCount: 0)), .send(credit(draining: true)),
                .send(farewell), .finished(.drained),
            ])
    }

    @Test("a worker that is away and has nothing ends at once, without a farewell")
    func idleDrainAway() {
        var bench = Bench()
        #expect(
            bench.round(.drain) == [.note(.draining(runningCount: 0, heldCount: 0)), .finished(.drained)])
    }

    @Test("running handlers may finish, and their results are acknowledged before the farewell")
    func finishing() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)))
        #expect(
            bench.round(.drain) == [
                .note(.draining(runningCount: 1, heldCount: 0)), .send(credit(draining: true)),
            ])
        #expect(bench.live(.milliseconds(9_999)) == [])
        #expect(
            bench.round(.handlerEnded(id(1), .done(text("1"))))
                == [.send(results(result(1, elapsed: .milliseconds(9_999), .done(text("1")))))])
        #expect(bench.round(ack(1)) == [.send(farewell), .finished(.drained)])
    }

    @Test("after the drain timeout handlers are stopped, and their leases given back uncounted (FM-46)")
    func drainTimeout() {
        var bench = Bench.working(drainTimeout: .milliseconds(300))
        _ = bench.round(leases(lease(1)), .drain)
        #expect(bench.core.nextDeadline == Instant(nanoseconds: 300_000_000))
        #expect(
            bench.after(.milliseconds(300)) == [
                .note(.stopped(id(1), .draining)), .stop(id(1), .draining),
            ])
        #expect(
            bench.round(stopped) == [
                .send(results(result(1, elapsed: .milliseconds(300), returned(.draining))))
            ])
        #expect(bench.round(ack(1)) == [.send(farewell), .finished(.drained)])
    }

    @Test("a success of a handler that was stopped by the drain is sent")
    func successWhileStopping() {
        var bench = Bench.working(drainTimeout: .zero)
        _ = bench.round(leases(lease(1)), .drain)
        #expect(
            bench.round(.handlerEnded(id(1), .done(text("1"))))
                == [.send(results(result(1, .done(text("1")))))])
    }

    @Test("a lease that arrives during the drain is given back at once")
    func leaseWhileDraining() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)), .drain)
        #expect(
            bench.round(leases(lease(2))) == [
                .note(.leaseReturned(id(2), station: "grill", .draining)),
                .send(results(result(2, returned(.draining)))),
            ])
    }

    @Test("a second drain changes nothing")
    func drainTwice() {
        var bench = Bench.working(drainTimeout: .milliseconds(300))
        _ = bench.round(leases(lease(1)), .drain)
        bench.pass(.milliseconds(200))
        #expect(bench.round(.drain) == [])
        #expect(bench.after(.milliseconds(100)).last == .stop(id(1), .draining))
    }

    @Test("an assembler that comes back during the drain is told again that the worker drains")
    func reconnectWhileDraining() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)), .drain, .linkClosed)
        #expect(bench.round(.linkOpened) == [.send(hello(grill: 0, fryer: 0, running: [claim(1)]))])
        #expect(
            bench.round(.received(welcome())) == [
                .note(.welcomed(name: "worker-1", session: 7)), .send(heartbeat()),
                .send(credit(draining: true)),
            ])
    }

    @Test("a worker that holds results waits for a lost assembler, two seconds beyond the drain timeout")
    func assemblerAway() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)), .handlerEnded(id(1), .done(text("1"))), .linkClosed, .drain)
        #expect(bench.after(.seconds(10)) == [])
        #expect(bench.core.nextDeadline == Instant(nanoseconds: 12_000_000_000))
        #expect(bench.after(.milliseconds(1_999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.finished(.leftBehind(runningCount: 0, heldCount: 1))])
    }

    @Test("a handler that does not stop is left behind, five seconds beyond the drain timeout")
    func stubbornHandler() {
        var bench = Bench.working(drainTimeout: .zero)
        _ = bench.round(leases(lease(1)), .drain)
        #expect(bench.live(.milliseconds(4_999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.finished(.leftBehind(runningCount: 1, heldCount: 0))])
    }

    @Test("what a handler says that stops late is sent, and waited for as long as any other result")
    func lateStop() {
        var bench = Bench.working(drainTimeout: .zero)
        _ = bench.round(leases(lease(1)), .drain)
        #expect(bench.live(.milliseconds(4_500)) == [])
        #expect(
            bench.round(stopped)
                == [.send(results(result(1, elapsed: .milliseconds(4_500), returned(.draining))))])
        #expect(bench.live(.milliseconds(1_999)) == [])
        var patient = bench
        #expect(patient.round(ack(1)) == [.send(farewell), .finished(.drained)])
        #expect(bench.after(.milliseconds(1)) == [.finished(.leftBehind(runningCount: 0, heldCount: 1))])
    }

    @Test("a hurried worker waits a second for the last acknowledgement, too")
    func hurriedWhileAcknowledging() {
        var bench = Bench.working(drainTimeout: .zero)
        _ = bench.round(leases(lease(1)), .drain)
        _ = bench.round(stopped)
        _ = bench.round(.hurry)
        #expect(bench.core.nextDeadline == Instant(nanoseconds: 500_000_000), "the next heartbeat")
        #expect(bench.live(.milliseconds(999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.finished(.leftBehind(runningCount: 0, heldCount: 1))])
    }

    @Test("a hurried worker stops everything now, and waits a second for it")
    func hurry() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1), lease(2)), .drain)
        #expect(
            bench.round(.hurry) == [
                .note(.hurrying(runningCount: 2, heldCount: 0)),
                .note(.stopped(id(1), .draining)), .stop(id(1), .draining),
                .note(.stopped(id(2), .draining)), .stop(id(2), .draining),
            ])
        #expect(bench.round(stopped, ack(1)) == [])
        #expect(bench.live(.milliseconds(999)) == [])
        #expect(bench.after(.milliseconds(1)) == [.finished(.leftBehind(runningCount: 1, heldCount: 0))])
    }

    @Test("a hurried worker that gets rid of everything ends well")
    func hurryEndsWell() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)))
        let actions = bench.round(.hurry)
        #expect(actions.contains(.stop(id(1), .draining)))
        #expect(actions.last == .send(credit(draining: true)))
        #expect(bench.round(stopped) == [.send(results(result(1, returned(.draining))))])
        #expect(bench.round(ack(1)) == [.send(farewell), .finished(.drained)])
    }

    @Test("hurrying twice does not wait longer")
    func hurryTwice() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)), .hurry)
        bench.pass(.milliseconds(900))
        #expect(bench.round(.hurry).contains(.note(.hurrying(runningCount: 1, heldCount: 0))))
        #expect(bench.after(.milliseconds(100)).last == .finished(.leftBehind(runningCount: 1, heldCount: 0)))
    }

    @Test("a revoked handler that is still stopping keeps its reason through the drain")
    func revokedThenDrained() {
        var bench = Bench.working(drainTimeout: .zero)
        _ = bench.round(leases(lease(1)), revoke(1))
        #expect(!bench.round(.drain).contains(.stop(id(1), .draining)))
        #expect(bench.round(stopped) == [.send(results(result(1, returned(.revoked))))])
    }

    @Test("after the end nothing happens any more")
    func over() {
        var bench = Bench.working()
        _ = bench.round(.drain)
        #expect(bench.round(leases(lease(1)), .linkOpened, stopped, .drain, .hurry) == [])
        #expect(bench.after(.seconds(60)) == [])
    }
}
