import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("A kill")
    struct KillTests {
        @Test("of a worker costs the leases it held and no more: they run elsewhere at once (FM-01)")
        func worker() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2", "worker-3")
                try shop.write("order.yaml", naps(seconds: 1, count: 9))
                let order = try await shop.produce("submit", "order.yaml").line
                let victim = try await holder(of: order, in: shop)
                let lost = try await shop.heldItems(of: order, by: victim)
                try await workers[victim]?.die()

                let served = try await shop.produce("watch", order, "--json")
                #expect(served.ending == .exit(0))
                let report = try served.report()
                #expect(report.status == "complete")
                #expect(report.elapsedSeconds < 3 * Double(costFactor))
                for item in report.items {
                    #expect(item.worker != victim)
                    #expect(item.attempts == (lost.contains(item.index) ? 2 : 1))
                }
            }
        }

        @Test("of a worker has its item leased again within 50 ms, where the machine is free")
        func leasedAgain() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2", "worker-3", "worker-4")
                try shop.write("order.yaml", naps(seconds: 60, count: 1))
                var absences: [TimeInterval] = []
                for _ in 1...3 {
                    let order = try await shop.produce("submit", "order.yaml").line
                    let victim = try await holder(of: order, in: shop)
                    let killedAt = Date()
                    try await workers[victim]?.die()
                    let started = try await eventually("another lease") {
                        let status = try await shop.produce("status", order, "--json")
                        let holder = try status.report().items.first?.worker
                        return holder == nil || holder == victim ? nil : try status.startedAt()
                    }
                    absences.append(started.timeIntervalSince(killedAt))
                    #expect(try await shop.produce("cancel", order).ending == .exit(0))
                }
                // The others are what a busy machine adds.
                #expect(try #require(absences.min()) < 0.05, "\(absences)")
            }
        }

        @Test("of every worker leaves the order waiting, and one that comes back completes it (FM-01, FM-41)")
        func everyWorker() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2")
                try shop.write("order.yaml", naps(seconds: 0.5, count: 4))
                let order = try await shop.produce("submit", "order.yaml").line
                try await holder(of: order, in: shop)
                for worker in workers.values { worker.send(SIGKILL) }
                for worker in workers.values { try await worker.end() }
                try await eventually("an order without leases") {
                    let items = try await shop.produce("status", order, "--json").report().items
                    return items.allSatisfy { $0.status == "waiting" } ? true : nil
                }

                try await shop.startWorkers("worker-3")
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                // One: its worker died before it had said that it started. Three: leased to the second worker
                // in the moment between the two deaths.
                #expect(report.items.allSatisfy { $0.worker == "worker-3" && (1...3).contains($0.attempts) })
            }
        }

        @Test("of a waiting producer leaves its order running, and watch picks it up (FM-08)")
        func producer() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", naps(seconds: 1, count: 2))
                let producer = try shop.start("producer", "submit", "order.yaml", "--wait")
                let order = try await eventually("the order") {
                    try await shop.orders().first { $0["status"] as? String == "running" }?["order"]
                        as? String
                }
                try await producer.die()
                let watched = try await shop.produce("watch", order, "--json")
                #expect(watched.ending == .exit(0))
                #expect(try watched.report().status == "complete")
            }
        }

        @Test("of the assembler loses nothing that was accepted: running items are adopted (FM-21, FM-26)")
        func assembler() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1", "worker-2")
                try shop.write("order.yaml", naps(seconds: 3, count: 4))
                let order = try await shop.produce("submit", "order.yaml").line
                try await holder(of: order, in: shop)
                try await assembler.die()
                try await shop.startAssembler()

                let served = try await shop.produce("watch", order, "--json")
                #expect(served.ending == .exit(0))
                let report = try served.report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.attempts == 1 }, "adopted, not run again")
            }
        }

        @Test("of the assembler does not lose a result that was ready while it was down (FM-26)")
        func resultWhileDown() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write(
                    "order.yaml",
                    "items: [{station: grill, payload: {seconds: 1}}, {station: log, payload: ran}]")
                let order = try await shop.produce("submit", "order.yaml", "--max-parallel", "2").line
                try await eventually("the line of the command") {
                    FileManager.default.fileExists(atPath: shop.folder.appending(path: "ran").path)
                        ? true : nil
                }
                try await assembler.die()
                try await Task.sleep(for: .seconds(1.5))  // the nap ends while nobody listens
                try await shop.startAssembler()

                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.attempts == 1 })
                let runs = try String(contentsOf: shop.folder.appending(path: "ran"), encoding: .utf8)
                #expect(runs == "ran\n")
            }
        }

        @Test("of everybody at once costs the attempts that ran and no more: nothing left the store (FM-20)")
        func everybody() async throws {
            try await Shop.open { shop in
                try shop.serveCountedNaps()
                let assembler = try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2")
                try shop.writeCountedNaps("order.yaml", [0.1, 0.1, 2, 2, 2, 2])
                let order = try await shop.produce("submit", "order.yaml").line
                try await eventually("two results, and four items that run") {
                    let counts = try await shop.produce("status", order, "--json").report().counts
                    return try counts["done"] == 2 && shop.lines(of: "begun").count == 6 ? true : nil
                }
                for process in [assembler] + workers.values { process.send(SIGKILL) }
                for process in [assembler] + workers.values { try await process.end() }
                try await shop.startAssembler()
                let kept = try await shop.produce("status", order, "--json").report()
                #expect(kept.counts["done"] == 2 && kept.counts["waiting"] == 4)

                try await shop.startWorkers("worker-3")
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(
                    report.items.map { $0.worker == "worker-3" } == [false, false, true, true, true, true])
                let runs = Dictionary(grouping: try shop.lines(of: "begun")) { $0 }.mapValues(\.count)
                #expect((0..<6).map { runs["\(order)/\($0)"] } == [1, 1, 2, 2, 2, 2])
            }
        }

        @Test("by an abort, as a library may commit it: back within a second, and nothing is lost (FM-53)")
        func abort() async throws {
            try await Shop.open { shop in
                // A Swift process that crashes is not dead before it has said where.
                shop.environment["SWIFT_BACKTRACE"] = "enable=no"
                var assembler = try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1", "worker-2")
                try shop.write("order.yaml", naps(seconds: 2, count: 4))
                let order = try await shop.produce("submit", "order.yaml").line
                try await shop.waitForLeases(of: order, count: 4)
                let victim = try #require(workers["worker-1"])
                victim.send(SIGABRT)
                #expect(try await victim.end() == .signal(SIGABRT))
                var absences: [Duration] = []
                for _ in 1...3 {
                    assembler.send(SIGABRT)
                    #expect(try await assembler.end() == .signal(SIGABRT))
                    let end = ContinuousClock.now
                    assembler = try await shop.startAssembler()
                    absences.append(ContinuousClock.now - end)
                }
                // The others are what a busy machine adds.
                #expect(try #require(absences.min()) < .seconds(1) * costFactor, "\(absences)")
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.worker == "worker-2" })
                #expect(workers["worker-2"]?.hasEnded == nil)
            }
        }

        @Test("of a waiting producer's assembler is bridged: the same producer sees the end (FM-41)")
        func assemblerUnderProducer() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", naps(seconds: 2, count: 2))
                let producer = try shop.start("producer", "submit", "order.yaml", "--wait", "--json")
                try await eventually("the order") { try await shop.orders().first }
                try await assembler.die()
                try await shop.startAssembler()
                let served = try await shop.finish(producer)
                #expect(served.ending == .exit(0))
                #expect(try served.report().status == "complete")
            }
        }

        @Test("a worker told to stop finishes or gives back what it holds, uncounted, and exits 0 (FM-46)")
        func drain() async throws {
            try await Shop.open { shop in
                try await shop.startAssembler()
                let workers = try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", naps(seconds: 4, count: 2))
                let order = try await shop.produce("submit", "order.yaml").line
                try await holder(of: order, in: shop)
                let worker = try #require(workers["worker-1"])
                worker.send(SIGTERM)
                try await Task.sleep(for: .milliseconds(200))  // the second one hurries
                worker.send(SIGTERM)
                #expect(try await worker.end(within: .seconds(10)) == .exit(0))

                try await shop.startWorkers("worker-2")
                let report = try await shop.produce("watch", order, "--json").report()
                #expect(report.status == "complete")
                #expect(report.items.allSatisfy { $0.worker == "worker-2" && $0.attempts == 1 })
            }
        }

        @Test("an assembler told to stop exits 0, and its orders go on with the next one")
        func orderlyStop() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                try shop.write("order.yaml", echoes("later"))
                let order = try await shop.produce("submit", "order.yaml").line
                assembler.send(SIGTERM)
                #expect(try await assembler.end(within: .seconds(10)) == .exit(0))
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                #expect(try await shop.produce("watch", order, "--json").report().status == "complete")
            }
        }

        /// The worker of the order's first leased item.
        @discardableResult
        private func holder(of order: String, in shop: Shop) async throws -> String {
            try await eventually("a lease") {
                try await shop.produce("status", order, "--json").report().items
                    .first { $0.status == "leased" }?.worker
            }
        }
    }
}

extension Shop {
    /// Indexes of an order's items that `worker` holds.
    func heldItems(of order: String, by worker: String) async throws -> Set<Int> {
        let items = try await produce("status", order, "--json").report().items
        return Set(items.filter { $0.status == "leased" && $0.worker == worker }.map(\.index))
    }

    /// What `producer list` knows.
    func orders() async throws -> [[String: Any]] {
        let list = try await produce("list", "--json")
        return try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]] ?? []
    }
}
