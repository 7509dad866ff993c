import Testing
import Wire

@testable import AssemblerCore

@Suite("An item that ends its workers")
struct PoisonTests {
    private func grill(_ count: Int) -> [Item] { (0..<count).map { _ in Item.with { $0.station = "grill" } } }

    @Test(
        "is convicted within the deaths that the design allows, and no innocent is (FM-33, FM-34, FM-35)",
        arguments: [(1, 0), (2, 1), (3, 0), (8, 5), (40, 17), (100, 99)])
    func bound(itemCount: Int, poison: Int) {
        var fleet = Fleet(Shop(), count: 1, ["grill": itemCount], poison: [poison])
        let (_, step) = fleet.shop.order(grill(itemCount))
        fleet.take(step)
        fleet.run(until: itemCount)
        #expect(fleet.outcomes[poison] == .poisoned)
        #expect(fleet.outcomes.count { $0.value == .done } == itemCount - 1)
        let halvings = Int.bitWidth - (itemCount - 1).leadingZeroBitCount
        #expect(fleet.deaths[poison, default: 0] <= max(5, 2 + halvings))
        #expect(fleet.deaths[poison, default: 0] >= 5)
    }

    @Test("beside forty innocent ones on three workers is found while they are done")
    func amongInnocents() {
        var fleet = Fleet(Shop(), count: 3, ["grill": 10], poison: [20])
        let (_, step) = fleet.shop.order(grill(41))
        fleet.take(step)
        fleet.run(until: 41)
        #expect(fleet.outcomes[20] == .poisoned)
        #expect(fleet.outcomes.count { $0.value == .done } == 40)
        let deathCount = fleet.deaths[20, default: 0]
        #expect((5...6).contains(deathCount), "ten leases shared a worker: at most 2 + 4")
        #expect(fleet.examinerCountMax == 1, "one worker of a station at a time")
        let counters = fleet.shop.core.counters
        #expect(counters.poisonedCount == 1)
        #expect(counters.workerLostCount == deathCount)
    }

    @Test("and another one are both found, and nobody else is")
    func two() {
        var fleet = Fleet(Shop(), count: 3, ["grill": 10], poison: [3, 30])
        let (_, step) = fleet.shop.order(grill(41))
        fleet.take(step)
        fleet.run(until: 41)
        #expect(fleet.outcomes.filter { $0.value == .poisoned }.keys.sorted() == [3, 30])
        #expect(fleet.outcomes.count { $0.value == .done } == 39)
    }

    @Test("does not keep the only worker from ordinary items: it serves them for as long as it examined")
    func onlyWorker() {
        var fleet = Fleet(Shop(), count: 1, ["grill": 2], poison: [0])
        let (_, step) = fleet.shop.order(grill(200))
        fleet.take(step)
        var doneBetween: [Int] = []
        for _ in 0..<400 where fleet.outcomes[0] == nil {
            let deaths = fleet.deaths[0, default: 0]
            _ = fleet.step()
            if fleet.deaths[0, default: 0] > deaths { doneBetween.append(fleet.outcomes.count) }
        }
        #expect(fleet.outcomes[0] == .poisoned)
        #expect(doneBetween.count == 5)
        for (earlier, later) in zip(doneBetween.dropFirst(2), doneBetween.dropFirst(3)) {
            #expect(later > earlier, "ordinary items flow between two examinations")
        }
    }

    @Test("names its workers in the error, and its order is partial")
    func report() {
        var fleet = Fleet(Shop(), count: 1, ["grill": 1], poison: [0])
        let (_, step) = fleet.shop.order(grill(1))
        fleet.take(step)
        var last: Step?
        for _ in 0..<100 where fleet.deaths[0, default: 0] < 4 { _ = fleet.step() }
        fleet.take(fleet.shop.live(.seconds(1)))
        let worker = fleet.workers[0]
        last = fleet.shop.round(.disconnected(worker))
        let outcome = last?.outcomes.first
        #expect(outcome?.status == .poisoned)
        #expect(outcome?.error.kind == .poisoned)
        #expect(outcome?.error.message.hasSuffix("w-1, w-2, w-3, w-4, w-5") == true)
        #expect(outcome?.attempts == 5)
        #expect(outcome?.worker == "w-5")
        #expect(last?.losses.map(\.isAlone) == [true])
        #expect(last?.served == [.partial])
    }

    @Test("is never poison where workers come and go anyway, and never runs apart")
    func never() {
        var configuration = CoreConfiguration()
        configuration.workerDeathsMax = nil
        var fleet = Fleet(Shop(configuration), count: 1, ["grill": 2], poison: [0])
        let (_, step) = fleet.shop.order(grill(2))
        fleet.take(step)
        for _ in 0..<40 { _ = fleet.step() }
        #expect(fleet.deaths[0, default: 0] > 10)
        #expect(fleet.outcomes[0] == nil)
        #expect(fleet.examinerCountMax == 0)
    }

    @Test("leaves nothing behind that grows: losses are forgotten with their items (FM-44)")
    func noLeak() {
        var fleet = Fleet(Shop(), count: 2, ["grill": 5], poison: [4])
        let (_, step) = fleet.shop.order(grill(10))
        fleet.take(step)
        #expect(!fleet.shop.core.lossesByWorker.isEmpty || fleet.deaths.isEmpty)
        fleet.run(until: 10)
        #expect(fleet.outcomes[4] == .poisoned)
        #expect(fleet.shop.core.lossesByWorker.isEmpty)
        _ = fleet.shop.live(.milliseconds(100))
        #expect(fleet.shop.core.stations[0].suspects.isEmpty)
        #expect(fleet.shop.core.sessions.values.allSatisfy { $0.examination == nil })
    }
}
