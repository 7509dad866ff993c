import ArgumentParser
import Glibc
import Simulation
import Wire

/// `simulate`: runs the whole system in one thread, seed by seed, and says what broke. Seeds know nothing of each
/// other: several run at once.
@main
struct SimulateCommand: ParsableCommand {
    static let program = "tray-simulate/0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Runs the three cores, the real codec and a model of the store in one thread, from a seed.",
        discussion: """
            Each seed draws a shop and what goes wrong in it: first things go wrong and nothing may break, then \
            everything heals and all must end. docs/simulator.md says how to read what it prints.

            EXAMPLES
              simulate --seeds 1000
              simulate --seeds 1000 --from 20001
              simulate --seed 57            replays one seed, and prints all that happens
              simulate --seeds 100000 --jobs 1
              simulate --bench

            The exit code is 0 where all is well, 1 where a promise was broken, 2 where something that should \
            end does not, 64 for wrong usage.
            Completion scripts: simulate --generate-completion-script bash|zsh|fish
            """,
        version: "\(program) (protocol \(Frames.versions.lowest) to \(Frames.versions.highest))")

    @Option(help: ArgumentHelp("How many seeds to run.", valueName: "count"))
    var seeds: UInt64 = 1_000

    @Option(help: ArgumentHelp("The first of them.", valueName: "seed"))
    var from: UInt64 = 1

    @Option(help: ArgumentHelp("Replay this one, and print all that happens.", valueName: "seed"))
    var seed: UInt64?

    @Option(
        help: ArgumentHelp(
            "How many seeds run at once, each in a thread of its own; one for each processor without it.",
            valueName: "count"))
    var jobs: Int?

    @Flag(help: "Stop at the first seed that finds something.")
    var first = false

    @Flag(help: "Print the verdict of a replay alone.")
    var quiet = false

    @Flag(
        help: "Measure inputs a second: the core alone, with codec and auditor, and several of these at once."
    )
    var bench = false

    func validate() throws {
        guard seeds > 0 else { throw ValidationError("--seeds is at least 1") }
        guard (1...1_024).contains(jobs ?? 1) else { throw ValidationError("--jobs is from 1 to 1024") }
        guard from <= UInt64.max - seeds else { throw ValidationError("--from leaves no room for --seeds") }
        guard !(bench && seed != nil) else { throw ValidationError("--bench takes no --seed") }
    }

    func run() throws {
        LastSeed.listen()
        if bench { return BenchReport.run(jobs: jobCount) }
        let status = if let seed { replay(seed) } else { runSeeds() }
        if status != .allWell { throw ExitCode(status.rawValue) }
    }

    enum Status: Int32 {
        case allWell = 0
        case broken = 1
        case stuck = 2

        init(_ verdict: Verdict) {
            self =
                switch verdict {
                case .allWell: .allWell
                case .broken: .broken
                case .stuck: .stuck
                }
        }
    }

    private func replay(_ seed: UInt64) -> Status {
        Output.say("seed \(seed)")
        LastSeed.begin(seed)
        var world = World(plan: Plan(seed: seed), trace: quiet ? nil : { Output.say($0) })
        let verdict = world.run()
        let figures = world.figures
        Output.say(
            "\(verdict.text)\n\(figures.rounds) rounds, \(figures.inputs) inputs, \(figures.outcomes) outcomes "
                + "in \(figures.simulated); digest \(String(world.digest, radix: 16))")
        Output.say("seed \(seed)")
        return Status(verdict)
    }

    private func runSeeds() -> Status {
        let last = from + seeds - 1
        Output.say("seeds \(from) to \(last)")
        let runs = SeedRuns(from...last, endsAtFirst: first) {
            Output.say("seed \($0.seed): \($0.verdict.text)")
        }
        let tally = runs.run(jobs: jobCount)
        let (figures, brokenSeeds, stuckSeeds) = (tally.figures, tally.brokenSeeds, tally.stuckSeeds)
        Output.say(
            "\(figures.rounds) rounds, \(figures.inputs) inputs, \(figures.outcomes) outcomes "
                + "in \(figures.simulated)")
        guard let first = (brokenSeeds + stuckSeeds).first else {
            Output.say("seeds \(from) to \(last): all is well")
            return .allWell
        }
        Output.say(
            "\(brokenSeeds.count) seeds broke a promise, \(stuckSeeds.count) made no progress; "
                + "replay one: simulate --seed \(first)")
        Output.say("seed \(first)")
        return brokenSeeds.isEmpty ? .stuck : .broken
    }

    private var jobCount: Int { jobs ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
}
