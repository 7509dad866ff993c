import Testing
import Wire

@testable import WorkerCore

@Suite("Results")
struct ResultTests {
    @Test(
        "a result is forgotten when it is acknowledged, whatever its fate",
        arguments: [
            (.stored, []), (.late, [.note(.resultDropped(id(1), .late))]),
            (.unknown, [.note(.resultDropped(id(1), .unknown))]),
            (.invalid, [.note(.resultDropped(id(1), .invalid))]),
        ] as [(Ack.Fate, [WorkerMachine.Action])])
    func acknowledged(fate: Ack.Fate, notes: [WorkerMachine.Action]) {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)), .handlerEnded(id(1), .done(text("1"))))
        #expect(bench.round(ack(1, fate: fate)) == notes)
        #expect(bench.round(ack(1, fate: fate)) == [])
        #expect(bench.round(.linkOpened) == [.send(hello())])
    }

    @Test("an acknowledgement of what still runs, or was never here, is ignored")
    func strayAck() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)))
        #expect(bench.round(ack(1, 99, fate: .unknown)) == [])
        #expect(bench.round(.linkOpened) == [.send(hello(running: [claim(1)]))])
    }

    @Test("held results follow the welcome after every reconnect, in the order of their leases (FM-26)")
    func repeatedAfterReconnect() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1), lease(2), lease(3)))
        _ = bench.round(.handlerEnded(id(3), .done(text("3"))))
        _ = bench.round(.linkClosed)
        _ = bench.round(.handlerEnded(id(1), .done(text("1"))))
        for session in [8, 9] as [UInt64] {
            #expect(
                bench.round(.linkOpened) == [.send(hello(running: [claim(2)], held: [claim(1), claim(3)]))])
            #expect(
                bench.round(.received(welcome(session: session))) == [
                    .note(.welcomed(name: "worker-1", session: session)), .send(heartbeat(session: session)),
                    .send(
                        results(
                            result(1, .done(text("1"))), result(3, .done(text("3"))), session: session)),
                ])
        }
    }

    @Test("a batch of results has at most 1,000")
    func batchCount() {
        var bench = Bench.working()
        let all = (1...1_500 as ClosedRange<UInt64>)
        _ = bench.handle(.received(KitchenMessage.with { $0.leases.leases = all.map { lease($0) } }))
        for number in all { _ = bench.handle(.handlerEnded(id(number), .done(text("")))) }
        #expect(batches(bench.round()).map(\.results.count) == [1_000, 500])
    }

    @Test("a batch of results ends at 1 MiB, and carries one result at least")
    func batchBytes() {
        var bench = Bench.working()
        let all = (1...4 as ClosedRange<UInt64>)
        _ = bench.handle(.received(KitchenMessage.with { $0.leases.leases = all.map { lease($0) } }))
        for (number, kibibytes) in [(1, 600), (2, 400), (3, 1_024), (4, 1)] as [(UInt64, Int)] {
            let big = text(String(repeating: "x", count: kibibytes << 10))
            _ = bench.handle(.handlerEnded(id(number), .done(big)))
        }
        #expect(batches(bench.round()).map { $0.results.map(\.index) } == [[1, 2], [3], [4]])
    }

    @Test("no more work is asked for from 1,000 held results on, until fewer than half are left")
    func heldCount() {
        var bench = Bench.working()
        let all = (1...1_000 as ClosedRange<UInt64>)
        _ = bench.round(.received(KitchenMessage.with { $0.leases.leases = all.map { lease($0) } }))
        for number in all.dropLast() { _ = bench.handle(.handlerEnded(id(number), .done(text("")))) }
        #expect(!bench.round().contains(.send(credit())))

        let full = bench.round(.handlerEnded(id(1_000), .done(text(""))))
        #expect(full.first == .note(.holdingBack(heldCount: 1_000, heldBytes: 64_000)))
        #expect(full.last == .send(credit()))

        for number in 1...500 as ClosedRange<UInt64> { #expect(bench.round(ack(number)) == []) }
        #expect(bench.round(ack(501)) == [.note(.askingAgain), .send(credit(grill: 4, fryer: 2))])
    }

    @Test("no more work is asked for from 64 MiB of held results on")
    func heldBytes() {
        var bench = Bench.working()
        let all = (1...64 as ClosedRange<UInt64>)
        let big = text(String(repeating: "x", count: 1 << 20))
        _ = bench.round(.received(KitchenMessage.with { $0.leases.leases = all.map { lease($0) } }))
        for number in all.dropLast() {
            #expect(!bench.round(.handlerEnded(id(number), .done(big))).contains(.send(credit())))
        }
        #expect(bench.round(.handlerEnded(id(64), .done(big))).last == .send(credit()))
    }

    @Test("a worker that holds back says so in its next hello")
    func heldAcrossReconnect() {
        var bench = Bench.working()
        let all = (1...1_000 as ClosedRange<UInt64>)
        _ = bench.round(.received(KitchenMessage.with { $0.leases.leases = all.map { lease($0) } }))
        for number in all { _ = bench.handle(.handlerEnded(id(number), .done(text("")))) }
        _ = bench.round(.linkClosed)
        guard case .send(let message)? = bench.round(.linkOpened).first else {
            Issue.record("no hello")
            return
        }
        #expect(message.hello.stations == capacities(grill: 0, fryer: 0))
        #expect(message.hello.held.count == 1_000)
    }

    @Test("a result beyond the limit of the welcome fails for good, with its size and the limit")
    func tooLarge() {
        var bench = Bench()
        _ = bench.round(.linkOpened, .received(welcome(contentBytesMax: 4)))
        _ = bench.round(leases(lease(1), lease(2)))
        #expect(
            bench.round(.handlerEnded(id(1), .done(text("1234"))), .handlerEnded(id(2), .done(text("12345"))))
                == [
                    .send(
                        results(
                            result(1, .done(text("1234"))),
                            result(2, failure("the result has 5 bytes; the limit is 4", isPermanent: true))))
                ])
    }

    @Test("an error message is cut between two characters")
    func longMessage() {
        var bench = Bench.working()
        _ = bench.round(leases(lease(1)))
        let message = "x" + String(repeating: "é", count: 5_000)
        let kept = "x" + String(repeating: "é", count: 4_095)
        #expect(
            bench.round(.handlerEnded(id(1), .failed(message: message, isPermanent: true)))
                == [.send(results(result(1, failure(kept, isPermanent: true))))])
    }

    private func batches(_ actions: [WorkerMachine.Action]) -> [ResultBatch] {
        actions.compactMap { action in
            guard case .send(let message) = action, case .results(let batch)? = message.body else {
                return nil
            }
            return batch
        }
    }
}
