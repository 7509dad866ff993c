import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("A worker that dies without a word")
    struct GuardianTests {
        /// One that obeys, one that does not, one that has started others.
        private static let stations = """
            stations:
              obedient: {handler: command, command: [sleep, '300'], capacity: 100}
              stubborn: {handler: command, command: [sh, -c, "trap '' TERM; while :; do sleep 9; done"],
                         capacity: 100}
              parent:   {handler: command, command: [sh, -c, 'sleep 300 & sleep 300 & wait'], capacity: 100}
            """
        /// Of an order of three items for each station.
        private static let processCount = 3 * (1 + 2 + 3)

        @Test(
            "leaves none of its commands alive after a second, whatever they do about SIGTERM",
            arguments: [SIGKILL, SIGSEGV])
        func killed(signal: Int32) async throws {
            try await open { shop, worker in
                try await shop.waitForCommands(count: GuardianTests.processCount)
                worker.send(signal)
                // It is dead when it is gone: what the dump of its core takes comes before.
                #expect(try await worker.end() == .signal(signal))
                try await shop.waitForNoCommands(within: .seconds(1))
            }
        }

        @Test(
            "has a guardian, and another one at once when that is killed, which knows what runs already (FM-42)"
        )
        func guardianKilled() async throws {
            try await open { shop, worker in
                try await shop.waitForCommands(count: GuardianTests.processCount)
                let first = try #require(try worker.guardian)
                kill(first.pid, SIGKILL)
                try await eventually("another guardian", every: .milliseconds(2)) {
                    try worker.guardian.flatMap { $0.pid == first.pid ? nil : $0 }
                }
                #expect(try worker.children.filter(\.isZombie).isEmpty)
                #expect(try shop.commands().count >= GuardianTests.processCount, "nobody has died for that")
                try await worker.die()
                try await shop.waitForNoCommands(within: .seconds(1))
            }
        }

        @Test("takes along a command that it was just about to start")
        func whileStarting() async throws {
            try await Shop.open { shop in
                try shop.write("worker.yaml", GuardianTests.stations)
                try await shop.startAssembler()
                try shop.write("order.yaml", order(ofEach: 20))
                for _ in 0..<8 {
                    let order = try await shop.produce("submit", "order.yaml").line
                    let worker = try shop.startWorker("worker-1")
                    try await eventually("a guardian", every: .milliseconds(1)) { try worker.guardian }
                    // Anywhere among the starts.
                    try await Task.sleep(for: .microseconds(Int.random(in: 0...30_000)))
                    try await worker.die()
                    try await shop.waitForNoCommands(within: .seconds(1))
                    #expect(try await shop.produce("cancel", order).ending == .exit(0))
                }
            }
        }

        @Test("is missed at once by the assembler: no process of it holds its connection (FM-01)")
        func connection() async throws {
            try await open { shop, worker in
                let commands = try await shop.waitForCommands(count: GuardianTests.processCount)
                let guardian = try #require(try worker.guardian)
                let ownSocketCount = try #require(ProcessEntry(worker.pid)?.socketCount)
                #expect(ownSocketCount > 0)
                for process in [guardian] + commands {
                    // The end of one that has ended meanwhile is in order.
                    #expect(process.socketCount ?? 0 == 0, "\(process.name)")
                }
                #expect(guardian.socketCount == 0)
                try await shop.startWorkers("worker-2")
                try await worker.die()
                // A heartbeat limit is 2 s.
                try await eventually("one worker less", within: .seconds(1)) {
                    try await shop.produce("ping", "--json").object()["workers"] as? Int == 1 ? true : nil
                }
            }
        }

        @Test(
            "needs its guardian no longer after an orderly end: neither is left, nor a process of a command")
        func orderlyEnd() async throws {
            try await open { shop, worker in
                try await shop.waitForCommands(count: GuardianTests.processCount)
                let guardian = try #require(try worker.guardian)
                worker.send(SIGTERM)
                // The drain timeout, then the grace of what ignores SIGTERM.
                #expect(try await worker.end(within: .seconds(10)) == .exit(0))
                try await shop.waitForNoCommands(within: .seconds(1))
                try await eventually("the end of the guardian", within: .seconds(1)) {
                    ProcessEntry(guardian.pid).map(\.isZombie) ?? true ? true : nil
                }
            }
        }

        /// Opens a shop in which one worker runs three commands of each kind.
        private func open(_ body: (Shop, Running) async throws -> Void) async throws {
            try await Shop.open { shop in
                shop.environment["TRAY_DRAIN_TIMEOUT"] = "200ms"
                // A Swift process that crashes is not dead before it has said where.
                shop.environment["SWIFT_BACKTRACE"] = "enable=no"
                // Nor one with a sanitizer, which would make an exit code of the signal.
                for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] {
                    shop.environment[name]?.append(" handle_segv=0")
                }
                try shop.write("worker.yaml", GuardianTests.stations)
                try await shop.startAssembler()
                let worker = try #require(try await shop.startWorkers("worker-1")["worker-1"])
                try shop.write("order.yaml", order(ofEach: 3))
                #expect(try await shop.produce("submit", "order.yaml").ending == .exit(0))
                try await body(shop, worker)
            }
        }

        private func order(ofEach count: Int) -> String {
            "items:\n"
                + ["obedient", "stubborn", "parent"]
                .map { String(repeating: "  - {station: \($0)}\n", count: count) }.joined()
        }
    }
}
