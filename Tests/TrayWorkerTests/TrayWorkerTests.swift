import Foundation
import Testing
import TrayWorker
import Wire
import ZeroMQ

@Suite("A worker on real sockets", .timeLimit(.minutes(1)))
struct TrayWorkerTests {
    @Test("a worker says hello, runs leases, keeps their results until acknowledged, and drains")
    func life() async throws {
        let kitchen = try Kitchen()
        await kitchen.open()
        let worker = try worker(at: kitchen.endpoint)
        async let ending = worker.run()

        let hello = try await kitchen.welcome(session: 7)
        #expect(hello.message.session == 0)
        #expect(hello.message.hello.name == "worker-1")
        #expect(hello.message.hello.stations.map(\.station) == ["echo", "sleep", "block"])
        #expect(hello.message.hello.stations.map(\.capacity) == [10, 10, 4])

        await kitchen.lease(1...5, station: "echo", payload: .text("hi"), to: hello.worker)
        var results: [ItemResult] = []
        var startedCount = 0
        while results.count < 5 {
            let message = try await kitchen.next().message
            #expect(message.session == 7)
            startedCount += message.started.leases.count
            results += message.results.results
        }
        #expect(startedCount == 5)
        #expect(results.allSatisfy { $0.done == .text("hi") })
        #expect(Set(results.map(\.index)) == [1, 2, 3, 4, 5])
        await kitchen.acknowledge(results, to: hello.worker)

        await worker.drain()
        #expect(try await kitchen.next().message.credit.draining)
        #expect(try await kitchen.next().message.body == .farewell(Farewell()))
        #expect(await ending == .drained)
    }

    @Test("results that were not acknowledged are offered again on a fresh connection (FM-26, FM-40)")
    func silentAssembler() async throws {
        let kitchen = try Kitchen()
        await kitchen.open()
        let worker = try worker(at: kitchen.endpoint)
        async let ending = worker.run()

        // A heartbeat limit of 1 makes 150 ms of silence too long.
        let first = try await kitchen.welcome(session: 1, heartbeatLimit: 1)
        await kitchen.lease(1...1, station: "echo", payload: .text("hi"), to: first.worker)
        var seen = try await kitchen.next().message
        while seen.results.results.isEmpty { seen = try await kitchen.next().message }

        await kitchen.setAnswersHeartbeats(false)
        let second = try await kitchen.welcome(session: 2)
        await kitchen.setAnswersHeartbeats(true)
        #expect(second.worker != first.worker)
        #expect(second.message.hello.instance == first.message.hello.instance)
        #expect(second.message.hello.held.map(\.lease.number) == [1])
        let again = try await kitchen.next().message
        #expect(again.session == 2)
        #expect(again.results == seen.results)
        await kitchen.acknowledge(again.results.results, to: second.worker)
        await worker.drain()
        #expect(await ending == .drained)
    }

    @Test("a revoked sleep ends at once, and is given back")
    func revoked() async throws {
        let kitchen = try Kitchen()
        await kitchen.open()
        let worker = try worker(at: kitchen.endpoint)
        async let ending = worker.run()
        let hello = try await kitchen.welcome()
        await kitchen.lease(1...1, station: "sleep", payload: .json("60"), to: hello.worker)
        #expect(try await kitchen.next().message.started.leases.map(\.number) == [1])
        await kitchen.send(
            to: hello.worker,
            KitchenMessage.with {
                $0.revokes.revokes = [Revoke.with { $0.lease = LeaseID(incarnation: 1, number: 1) }]
            })
        let result = try await kitchen.next().message.results.results.first
        #expect(result?.returned.reason == .revoked)
        await kitchen.acknowledge(result.map { [$0] } ?? [], to: hello.worker)
        await worker.drain()
        #expect(await ending == .drained)
    }

    @Test("handlers that hog the pool do not delay the answers of the polling thread (FM-32)")
    func busyHandlers() async throws {
        let kitchen = try Kitchen()
        await kitchen.open()
        let worker = try worker(at: kitchen.endpoint)
        async let ending = worker.run()
        let hello = try await kitchen.welcome()
        // All threads of the pool sleep in handlers while the worker answers and the kitchen asks: so it
        // asks from its own thread, and what counts is the order in which the answers came.
        await kitchen.probeOnceStarted()
        await kitchen.lease(1...4, station: "block", payload: Content(), to: hello.worker)
        #expect(try await kitchen.next().message.started.leases.count == 4)
        #expect(try await kitchen.next().message.results.results.map(\.returned.reason) == [.unsupported])
        await worker.hurry()
        _ = await ending
    }

    @Test("a hurried worker leaves behind what does not end, within two seconds")
    func hurry() async throws {
        let kitchen = try Kitchen()
        await kitchen.open()
        let stubborn = ClosureHandler { _ in
            await withCheckedContinuation { continuation in
                DispatchQueue.global().asyncAfter(deadline: .now() + 60) { continuation.resume() }
            }
            return .text("too late")
        }
        let worker = try WorkerService(
            kitchen: kitchen.endpoint, name: "worker-1",
            stations: [Station("stubborn", capacity: 1, handler: stubborn)])
        async let ending = worker.run()
        let hello = try await kitchen.welcome()
        await kitchen.lease(1...1, station: "stubborn", payload: Content(), to: hello.worker)
        _ = try await kitchen.next()
        let started = ContinuousClock.now
        await worker.hurry()
        #expect(await ending == .leftBehind(runningCount: 1, heldCount: 0))
        #expect(ContinuousClock.now - started < .seconds(30))
    }

    @Test("cancelling the task of `run` hurries the worker")
    func cancelled() async throws {
        let worker = try worker(at: "tcp://127.0.0.1:1")
        let running = Task { await worker.run() }
        running.cancel()
        #expect(await running.value == .drained)
        #expect(await worker.run() == .drained)
    }

    @Test("an assembler of another version ends the worker")
    func otherVersion() async throws {
        let kitchen = try Kitchen()
        await kitchen.open()
        let worker = try worker(at: kitchen.endpoint)
        async let ending = worker.run()
        let hello = try await kitchen.next()
        let theirs = VersionRange.with {
            $0.lowest = 8
            $0.highest = 9
        }
        await kitchen.send(
            to: hello.worker,
            KitchenMessage.with {
                $0.refusal.reason = .version
                $0.refusal.message = "too old"
                $0.refusal.versions = theirs
            })
        #expect(await ending == .noCommonVersion(theirs: theirs, message: "too old"))
    }

    @Test("from lease to result an echo takes less than 2 ms, where the machine is free")
    func latency() async throws {
        let kitchen = try Kitchen()
        await kitchen.open()
        let worker = try worker(at: kitchen.endpoint)
        async let ending = worker.run()
        let hello = try await kitchen.welcome()
        var times: [Duration] = []
        for number in 1...50 as ClosedRange<UInt64> {
            let started = ContinuousClock.now
            await kitchen.lease(number...number, station: "echo", payload: .text("hi"), to: hello.worker)
            var message = try await kitchen.next().message
            while message.results.results.isEmpty { message = try await kitchen.next().message }
            times.append(ContinuousClock.now - started)
            await kitchen.acknowledge(message.results.results, to: hello.worker)
        }
        times.sort()
        #expect(times[0] < .milliseconds(2), "\(times)")
        await worker.drain()
        #expect(await ending == .drained)
    }

    private func worker(at endpoint: String) throws -> WorkerService {
        let block = ClosureHandler { _ in
            usleep(300_000)
            return .text("")
        }
        return try WorkerService(
            kitchen: endpoint, name: "worker-1",
            stations: [
                Station("echo", capacity: 10, handler: EchoHandler()),
                Station("sleep", capacity: 10, handler: SleepHandler()),
                Station("block", capacity: 4, handler: block),
            ])
    }
}
