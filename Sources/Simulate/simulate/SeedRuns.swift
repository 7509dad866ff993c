import Simulation
import Synchronization

/// How a seed came out.
struct SeedRun: Sendable {
    let seed: UInt64
    let verdict: Verdict
    let figures: Figures
}

extension SeedRun {
    /// Runs the seed.
    init(of seed: UInt64) {
        LastSeed.begin(seed)
        var world = World(plan: Plan(seed: seed))
        let verdict = world.run()
        self.init(seed: seed, verdict: verdict, figures: world.figures)
    }
}

/// Runs seeds, several at once and each in one thread, and hands on how they came out in the order of their numbers,
/// whatever order they end in.
final class SeedRuns: Sendable {
    private struct State {
        /// `nil` where no seed is to be begun any more.
        var next: UInt64?
        /// Ended before one of a lower number.
        var waiting: [UInt64: SeedRun] = [:]
        /// `nil` where nothing is to be told any more.
        var nextToTell: UInt64?
        var tally = Tally()
    }

    private let seeds: ClosedRange<UInt64>
    private let endsAtFirst: Bool
    private let runSeed: @Sendable (UInt64) -> SeedRun
    private let tell: @Sendable (SeedRun) -> Void
    private let state: Mutex<State>

    /// - Parameter endsAtFirst: nothing is told after the first seed that finds something.
    /// - Parameter runSeed: on any thread.
    /// - Parameter tell: of a seed that finds something, in the order of the seeds; on any thread, one at a time.
    init(
        _ seeds: ClosedRange<UInt64>, endsAtFirst: Bool,
        run runSeed: @escaping @Sendable (UInt64) -> SeedRun = { SeedRun(of: $0) },
        tell: @escaping @Sendable (SeedRun) -> Void
    ) {
        self.seeds = seeds
        (self.endsAtFirst, self.runSeed, self.tell) = (endsAtFirst, runSeed, tell)
        state = Mutex(State(next: seeds.lowerBound, nextToTell: seeds.lowerBound))
    }

    /// - Parameter jobs: how many run at once.
    func run(jobs: Int) -> Tally {
        Threads.run(Int(min(UInt64(jobs), seeds.upperBound - seeds.lowerBound + 1))) { [self] in
            while let seed = take() { put(runSeed(seed)) }
        }
        return state.withLock { $0.tally }
    }

    private func take() -> UInt64? {
        state.withLock { state in
            defer { state.next = state.next.flatMap { $0 < seeds.upperBound ? $0 + 1 : nil } }
            return state.next
        }
    }

    private func put(_ run: SeedRun) {
        state.withLock { state in
            state.waiting[run.seed] = run
            while let seed = state.nextToTell, let run = state.waiting.removeValue(forKey: seed) {
                state.nextToTell = seed + 1
                state.tally.add(run)
                guard run.verdict != .allWell else { continue }
                tell(run)
                // Those that run still are not told: nobody waits for their turn.
                if endsAtFirst { (state.next, state.nextToTell) = (nil, nil) }
            }
        }
    }
}

/// What seeds came to.
struct Tally: Sendable {
    private(set) var figures = Figures()
    private(set) var brokenSeeds: [UInt64] = []
    private(set) var stuckSeeds: [UInt64] = []

    mutating func add(_ run: SeedRun) {
        figures.add(run.figures)
        switch run.verdict {
        case .allWell: break
        case .broken: brokenSeeds.append(run.seed)
        case .stuck: stuckSeeds.append(run.seed)
        }
    }
}
