import ArgumentParser
import Simulation
import Wire

/// `simulate`: runs the whole system in one thread, seed by seed, and says what broke.
@main
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Runs the three cores, the codec and a store model in one thread, driven by seeds.")

    @Option(help: "How many seeds to run.")
    var seeds: UInt64 = 1_000

    @Option(help: "The first of them.")
    var from: UInt64 = 1

    @Option(help: "Replay this seed, and print what happens.")
    var seed: UInt64?

    func run() throws {
        if let seed {
            print("seed \(seed)")
            let world = World(plan: Plan(seed: seed)) { print($0) }
            let verdict = world.run()
            print("digest \(String(world.digest, radix: 16)), \(verdict.text)")
            print("seed \(seed)")
            return
        }
        for seed in from..<(from + seeds) {
            let world = World(plan: Plan(seed: seed))
            let verdict = world.run()
            if verdict != .allWell {
                print("seed \(seed): \(verdict.text)")
            }
        }
    }
}
