import Foundation
import Synchronization
import Testing

@testable import Simulation
@testable import simulate

/// How the run of a seed comes out.
private func verdict(of seed: UInt64) -> Verdict {
    var world = World(plan: Plan(seed: seed))
    return world.run()
}

@Suite("A seed")
struct SeedTests {
    @Test("of the first hundred keeps every promise, and all ends", arguments: [1, 26, 51, 76] as [UInt64])
    func firstHundred(first: UInt64) {
        for seed in first..<(first + 25) {
            #expect(verdict(of: seed) == .allWell, "simulate --seed \(seed)")
        }
    }

    @Test("runs the same twice, whether somebody reads the trace or not")
    func replay() {
        for seed: UInt64 in [3, 5, 8] {
            var lineCount = 0
            var read = World(plan: Plan(seed: seed)) { _ in lineCount += 1 }
            var unread = World(plan: Plan(seed: seed))
            let verdicts = (read.run(), unread.run())
            #expect(verdicts.0 == verdicts.1)
            #expect(read.digest == unread.digest)
            #expect(lineCount > 0)
        }
    }

    @Test("runs the same in two processes, whose dictionaries are in different orders")
    func processes() throws {
        let outputs = try (0..<2).map { _ in try Simulate.run("--seed", "8").output }
        #expect(outputs[0] == outputs[1])
        #expect(outputs[0].hasPrefix("seed 8\n"))
        #expect(outputs[0].hasSuffix("seed 8\n"))
    }

    @Test("draws another shop than the next one")
    func plans() {
        let plans = (1...50).map { Plan(seed: $0) }
        #expect(Set(plans.map(\.description)).count > 40)
        for fault in Fault.allCases {
            #expect(plans.contains { $0.has(fault) }, "no seed draws \(fault.rawValue)")
        }
        #expect(plans.contains { $0.faults.isEmpty })
    }

    @Test("of another number has another digest")
    func digests() {
        let digests = (1...5 as ClosedRange<UInt64>).map { seed in
            var world = World(plan: Plan(seed: seed))
            _ = world.run()
            return world.digest
        }
        #expect(Set(digests).count == 5)
    }
}

/// Seeds that found something, in the product or in the simulator itself: each stays, with what it found.
@Suite("A seed that found a bug runs well")
struct FoundSeedTests {
    @Test(
        "282: two orders that came page by page filled the shop together, and waited for each other for ever")
    func pagesThatWait() { #expect(verdict(of: 282) == .allWell) }

    @Test(
        "of the simulator's own: 238, a liar claims one lease twice; 1557, for two items, one of them unknown"
    )
    func claimsOfOneLease() {
        for seed: UInt64 in [238, 1557] { #expect(verdict(of: seed) == .allWell) }
    }

    @Test("of the simulator's own: 808 and 1955, a worker claims what is unknown, and ends in the same round")
    func claimsOfTheDead() {
        for seed: UInt64 in [808, 1955] { #expect(verdict(of: seed) == .allWell) }
    }

    @Test("of the simulator's own: 7109, the assembler is stopped between its start and its first round")
    func stoppedAtOnce() { #expect(verdict(of: 7109) == .allWell) }

    @Test("of the simulator's own: 2077, an order is on its way when all others have ended")
    func lateComer() { #expect(verdict(of: 2077) == .allWell) }
}

@Suite("simulate")
struct SimulateTests {
    @Test("ends with 0 where all is well, and says which seeds that were")
    func allWell() throws {
        let run = try Simulate.run("--seeds", "3")
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("seeds 1 to 3\n"))
        #expect(run.output.hasSuffix("seeds 1 to 3: all is well\n"))
    }

    @Test("says the same, however many seeds run at once")
    func jobs() throws {
        let runs = try ["1", "2", "7"].map { try Simulate.run("--seeds", "20", "--from", "5", "--jobs", $0) }
        #expect(Set(runs.map(\.output)).count == 1)
        #expect(runs.allSatisfy { $0.status == 0 })
    }

    @Test("tells the seed at which a core stops the process, on whatever thread", arguments: ["1", "3"])
    func trap(jobs: String) throws {
        let run = try Simulate.run(["--seeds", "2000", "--jobs", jobs]) { kill($0, SIGABRT) }
        #expect(run.status == 1)
        let told = /\na core stopped where it must not be; replay it: simulate --seed \d+\n$/
        #expect(run.output.contains(told))
    }

    @Test(
        "ends with 64 for wrong usage",
        arguments: [
            ["--jobs", "0"], ["--jobs", "1025"], ["--seeds", "0"], ["--seed", "one"], ["--seeds", "-1"],
            ["more"],
        ])
    func usage(arguments: [String]) throws {
        #expect(try Simulate.run(arguments).status == 64)
    }

    @Test("tells of itself")
    func version() throws {
        #expect(try Simulate.run("--version").output.contains("protocol 1 to 1"))
        #expect(try Simulate.run("--help").output.contains("EXAMPLES"))
    }
}

@Suite("Many seeds at once")
struct SeedRunsTests {
    /// What runs of seeds were seen to do.
    private final class Seen: Sendable {
        let begun = Mutex<Set<UInt64>>([])
        let told = Mutex<[UInt64]>([])
        private let tenHasBegun = DispatchSemaphore(value: 0)

        /// 7 and 9 break a promise, 11 and 12 get stuck. Where seeds run at once, 7 ends after 10 has begun: with two
        /// jobs, after 8 and 9 have ended.
        func run(_ seed: UInt64, isAlone: Bool) -> SeedRun {
            begun.withLock { _ = $0.insert(seed) }
            if seed == 10 { tenHasBegun.signal() }
            if seed == 7, !isAlone { #expect(tenHasBegun.wait(timeout: .now() + 30) == .success) }
            let verdict: Verdict =
                switch seed {
                case 7, 9: .broken("odd")
                case 11, 12: .stuck("late")
                default: .allWell
                }
            var figures = Figures()
            figures.inputs = Int(seed)
            return SeedRun(seed: seed, verdict: verdict, figures: figures)
        }
    }

    private static func run(endsAtFirst: Bool, jobs: Int) -> (tally: Tally, seen: Seen) {
        let seen = Seen()
        let runs = SeedRuns(5...14, endsAtFirst: endsAtFirst) {
            seen.run($0, isAlone: jobs == 1)
        } tell: { run in
            seen.told.withLock { $0.append(run.seed) }
        }
        return (runs.run(jobs: jobs), seen)
    }

    @Test("are told in their order, and each is counted once", arguments: [1, 2, 20])
    func order(jobs: Int) {
        let (tally, seen) = SeedRunsTests.run(endsAtFirst: false, jobs: jobs)
        #expect(seen.told.withLock { $0 } == [7, 9, 11, 12])
        #expect(tally.brokenSeeds == [7, 9] && tally.stuckSeeds == [11, 12])
        #expect(tally.figures.inputs == (5...14).reduce(0, +))
    }

    @Test("end at the first that finds something, whatever else had ended by then", arguments: [1, 2, 20])
    func first(jobs: Int) {
        let (tally, seen) = SeedRunsTests.run(endsAtFirst: true, jobs: jobs)
        #expect(seen.told.withLock { $0 } == [7])
        #expect(tally.figures.inputs == (5...7).reduce(0, +))
        if jobs == 1 { #expect(seen.begun.withLock { $0 } == Set(5...7)) }
    }
}

/// The executable, beside the tests.
enum Simulate {
    static func run(_ arguments: String...) throws -> (status: Int32, output: String) { try run(arguments) }

    /// - Parameter whileRunning: is told the process's id once it has said something.
    static func run(
        _ arguments: [String], whileRunning: ((pid_t) -> Void)? = nil
    ) throws -> (status: Int32, output: String) {
        let folder =
            ProcessInfo.processInfo.environment["TRAY_BIN"].map { URL(filePath: $0) }
            ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let process = Process()
        process.executableURL = folder.appending(path: "simulate")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        // Threads that run tests block signals, and who they start would, too.
        var (none, before) = (sigset_t(), sigset_t())
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        var data = Data()
        if let whileRunning {
            data = output.fileHandleForReading.availableData
            whileRunning(process.processIdentifier)
        }
        data += try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
