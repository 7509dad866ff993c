import Simulation
import Synchronization

/// Lines about how many inputs a second are handled, each with the median of some runs.
enum BenchReport {
    private static let runCount = 5

    static func run(jobs: Int) {
        say("the core alone", Bench.core(runCount: runCount))
        say("with codec, store model and auditor", (0..<runCount).map { _ in Bench.world() })
        guard jobs > 1 else { return }
        say("the same, \(jobs) at once", (0..<runCount).map { _ in worlds(jobs) })
    }

    /// As many worlds, each in a thread of its own.
    private static func worlds(_ count: Int) -> Bench.Measured {
        let inputs = Mutex(0)
        let clock = ContinuousClock()
        let start = clock.now
        Threads.run(count) {
            let world = Bench.world()
            inputs.withLock { $0 += world.inputs }
        }
        return Bench.Measured(inputs: inputs.withLock { $0 }, elapsed: clock.now - start)
    }

    private static func say(_ what: String, _ runs: [Bench.Measured]) {
        let rates = runs.map(\.perSecond).sorted()
        Output.say(
            "\(what): \(rates[rates.count / 2]) inputs a second, median of \(runs.count) "
                + "(\(rates[0]) to \(rates[rates.count - 1])); \(runs[0].inputs) inputs each")
    }
}
