import Simulation
import Testing

@Suite("A seed")
struct SeedTests {
    @Test("runs the same twice")
    func replay() {
        let runs = (0..<2).map { _ in World(plan: Plan(seed: 1)) }
        #expect(runs.map { $0.run() } == [.allWell, .allWell])
        #expect(runs[0].digest == runs[1].digest)
    }
}
