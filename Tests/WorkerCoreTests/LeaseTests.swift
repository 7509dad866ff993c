import Testing
import Wire

@testable import WorkerCore

@Suite("Leases")
struct LeaseTests {
    @Test("leases of a batch start in their order, and are reported together")
    func batchStarts() {
        var bench = Bench.working()
        #expect(
            bench.round(leases(lease(1), lease(2)), leases(lease(3, station: "fryer"))) == [
                .start(lease(1)), .start(lease(2)), .start(lease(3, station: "fryer")),
                .send(started(1, 2, 3)),
            ])
    }

    @Test("results of one round go out as one batch")
    func resultsTogether() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1), lease(2)))
        bench.pass(.milliseconds(3))
        #expect(
            bench.round(
                .handlerEnded(id(2), .done(text("two"))),
                .handlerEnded(id(1), .failed(message: "burnt", isPermanent: false))) == [
                    .send(
                        results(
                            result(2, elapsed: .milliseconds(3), .done(text("two"))),
                            result(1, elapsed: .milliseconds(3), failure("burnt"))))
                ])
    }

    @Test("a lease that starts and ends within a round is reported as started first")
    func startThenResult() {
        var bench = Bench.working()
        #expect(
            bench.round(leases(lease(1)), .handlerEnded(id(1), .done(text("1")))) == [
                .start(lease(1)), .send(started(1)), .send(results(result(1, .done(text("1"))))),
            ])
    }

    @Test("a lease that is sent again while it runs is ignored")
    func resentRunning() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)))
        #expect(bench.round(leases(lease(1))) == [])
        #expect(bench.round(leases(lease(2), lease(2))) == [.start(lease(2)), .send(started(2))])
    }

    @Test("a lease that is sent again after its end gets its held result again, once")
    func resentHeld() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)))
        _ = bench.round(.handlerEnded(id(1), .done(text("1"))))
        #expect(bench.round(leases(lease(1), lease(1))) == [.send(results(result(1, .done(text("1")))))])
    }

    @Test("a lease of a station that is not served is given back (FM-24)")
    func unsupportedStation() {
        var bench = Bench.working()
        #expect(
            bench.round(leases(lease(1, station: "bakery"))) == [
                .note(.leaseReturned(id(1), station: "bakery", .unsupported)),
                .send(results(result(1, returned(.unsupported)))),
            ])
        #expect(
            bench.round(.linkOpened) == [.send(hello(held: [claim(1, started: false)]))])
    }

    @Test("a lease whose order is no id is given back")
    func malformedOrder() {
        var bench = Bench.working()
        var bad = lease(1)
        bad.order = .init([1, 2, 3])
        let actions = bench.round(leases(bad))
        #expect(actions.first == .note(.leaseReturned(id(1), station: "grill", .unsupported)))
    }

    @Test("an attempt past its timeout is stopped, and fails as such when its handler has ended")
    func timeout() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1, timeout: .milliseconds(300))))
        #expect(bench.core.nextDeadline == Instant(nanoseconds: 300_000_000))
        #expect(bench.after(.milliseconds(299)) == [])
        let limit = Duration.milliseconds(300)
        #expect(
            bench.after(.milliseconds(1)) == [
                .note(.stopped(id(1), .timeout(limit))), .stop(id(1), .timeout(limit)),
            ])
        bench.pass(.milliseconds(20))
        #expect(
            bench.round(.handlerEnded(id(1), .failed(message: "stopped", isPermanent: true))) == [
                .send(
                    results(
                        result(
                            1, elapsed: .milliseconds(320),
                            failure("stopped after its timeout of 0.3 seconds", kind: .timeout))))
            ])
    }

    @Test("a lease with a field of a later version is stopped by its number, under the id that came")
    func laterField() throws {
        var bench = Bench.working()
        var (late, revoked) = (lease(1, timeout: .milliseconds(300)), lease(2))
        // Number 15, a varint.
        late.lease = try LeaseID(serializedBytes: late.lease.serializedBytes() as [UInt8] + [15 << 3, 1])
        revoked.lease = try LeaseID(
            serializedBytes: revoked.lease.serializedBytes() as [UInt8] + [15 << 3, 2])
        #expect(late.lease != id(1))
        #expect(bench.round(leases(late, revoked)).contains(.start(late)))
        #expect(bench.after(.milliseconds(300)).contains(.stop(late.lease, .timeout(.milliseconds(300)))))
        #expect(bench.round(revoke(2)).contains(.stop(revoked.lease, .revoked)))
    }

    @Test("a success after the timeout came too late")
    func successAfterTimeout() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1, timeout: .milliseconds(300))))
        _ = bench.after(.milliseconds(300))
        #expect(
            bench.round(.handlerEnded(id(1), .done(text("late")))) == [
                .send(
                    results(
                        result(
                            1, elapsed: .milliseconds(300),
                            failure("stopped after its timeout of 0.3 seconds", kind: .timeout))))
            ])
    }

    @Test("a success in the round of its timeout counts, because it came first")
    func successAtTimeout() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1, timeout: .milliseconds(300))))
        bench.pass(.milliseconds(400))
        #expect(
            bench.round(.handlerEnded(id(1), .done(text("ok")))) == [
                .send(results(result(1, elapsed: .milliseconds(400), .done(text("ok")))))
            ])
    }

    @Test("of the lease's timeout and the station's the smaller holds")
    func stationTimeout() {
        var bench = Bench.working()
        _ = bench.round(
            leases(
                lease(1, station: "fryer", timeout: .seconds(600)),
                lease(2, station: "fryer", timeout: .seconds(1))))
        #expect(bench.live(.seconds(1)).contains(.stop(id(2), .timeout(.seconds(1)))))
        #expect(!bench.live(.milliseconds(3_999)).contains(.stop(id(1), .timeout(.seconds(5)))))
        #expect(bench.live(.milliseconds(1)).contains(.stop(id(1), .timeout(.seconds(5)))))
    }

    @Test("a lease without a timeout has the contract's ten minutes")
    func defaultTimeout() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1, timeout: .zero)), .linkClosed)
        #expect(bench.core.nextDeadline == Instant(nanoseconds: 600_000_000_000))
    }

    @Test("timeouts run on while the assembler is away")
    func timeoutWhileAway() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1, timeout: .seconds(1))), .linkClosed)
        #expect(bench.after(.seconds(1)).contains(.stop(id(1), .timeout(.seconds(1)))))
    }

    @Test("the timeouts of ended leases are forgotten")
    func timeoutsPruned() {
        var bench = Bench.working()
        for number in 1...1_000 as ClosedRange<UInt64> {
            _ = bench.round(
                leases(lease(number)), .handlerEnded(id(number), .done(text(""))), ack(number))
        }
        _ = bench.round(.linkClosed)
        #expect(bench.core.nextDeadline != nil)
        #expect(bench.after(.seconds(600)) == [])
        #expect(bench.core.nextDeadline == nil)
    }

    @Test("a revoked lease is stopped once, and given back when its handler has ended")
    func revoked() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)))
        #expect(
            bench.round(revoke(1), revoke(1)) == [
                .note(.stopped(id(1), .revoked)), .stop(id(1), .revoked),
            ])
        #expect(
            bench.round(.handlerEnded(id(1), .failed(message: "terminated", isPermanent: false)))
                == [.send(results(result(1, returned(.revoked))))])
    }

    @Test("a success after a revocation is sent: it may be counted (FM-14)")
    func successAfterRevoke() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)), revoke(1))
        #expect(
            bench.round(.handlerEnded(id(1), .done(text("late"))))
                == [.send(results(result(1, .done(text("late")))))])
    }

    @Test("a timeout after a revocation stops nothing again: the first reason stands")
    func timeoutAfterRevoke() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1, timeout: .milliseconds(300))), revoke(1))
        #expect(bench.after(.milliseconds(300)) == [])
        #expect(
            bench.round(.handlerEnded(id(1), .failed(message: "", isPermanent: false)))
                == [.send(results(result(1, elapsed: .milliseconds(300), returned(.revoked))))])
    }

    @Test("a revocation of a lease that has ended, or was never here, is ignored")
    func lateRevoke() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)), .handlerEnded(id(1), .done(text(""))))
        #expect(bench.round(revoke(1, 99)) == [])
    }

    @Test("a handler that ends twice, or was never started, is ignored")
    func unknownEnd() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)), .handlerEnded(id(1), .done(text(""))))
        #expect(bench.round(.handlerEnded(id(1), .done(text("again")))) == [])
        #expect(bench.round(.handlerEnded(id(99), .done(text("who?")))) == [])
    }
}
