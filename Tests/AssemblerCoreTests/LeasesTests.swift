import Seeded
import Testing
import Wire

@testable import AssemblerCore

@Suite("The leases")
struct LeasesTests {
    private let now = Moment(instant: Instant(nanoseconds: 0), wall: WallTime(milliseconds: 0))

    private func held(_ key: LeaseKey) -> HeldLease {
        HeldLease(
            key: key, item: ItemKey(order: OrderID(high: 1, low: key.number), index: 0),
            station: StationIndex(value: 0), connection: ConnectionID(1), place: 0,
            positions: .init(tray: 1, session: 1), attempt: 1, leasedAt: now)
    }

    @Test(
        "are what a dictionary would hold: given one after the other, adopted from before, ended in any order",
        arguments: UInt64(1)...10)
    func likeADictionary(seed: UInt64) {
        var dice = SplitMix(seed: seed)
        var leases = Leases(incarnation: 7)
        var model: [LeaseKey: HeldLease] = [:]
        var given: UInt64 = 0
        // Some of the first stay for ever, and are outlived by all the others.
        let lasting = Set((1...UInt64(50)).filter { _ in dice.chance(0.2) })
        for _ in 0..<20_000 {
            let key: LeaseKey
            switch dice.below(8) {
            case 0...3:
                given += 1
                key = LeaseKey(incarnation: 7, number: given)
                (leases[key], model[key]) = (held(key), held(key))
            case 4:
                // A worker says that it holds this one, of now or of before.
                key = LeaseKey(
                    incarnation: UInt32(6 + dice.below(2)), number: UInt64(dice.below(Int(given + 1)) + 1))
                guard key.incarnation == 6 || key.number <= given else { continue }
                (leases[key], model[key]) = (held(key), held(key))
            case 5:
                key = LeaseKey(incarnation: 7, number: given + 1 + UInt64(dice.below(5)))
                leases[key]?.hasStarted = true
                leases[key] = nil
            default:
                guard let some = model.keys.min(by: { $0.number < $1.number }) else { continue }
                let number = some.number + UInt64(dice.below(40))
                key = LeaseKey(incarnation: UInt32(6 + dice.below(2)), number: number)
                guard !(lasting.contains(number) && key.incarnation == 7) else { continue }
                leases[key]?.hasStarted = true
                #expect(leases[key]?.hasStarted == model[key].map { _ in true })
                (leases[key], model[key]) = (nil, nil)
            }
            #expect(leases[key] == model[key])
            #expect(leases.count == model.count)
        }
        for (key, lease) in model { #expect(leases[key] == lease) }
        #expect(leases.values.count == model.count)
        #expect(Set(leases.values.map(\.key)) == Set(model.keys))
    }

    @Test("keep no more room for what has ended than for what is held")
    func room() {
        var leases = Leases(incarnation: 1)
        let oldest = LeaseKey(incarnation: 1, number: 1)
        leases[oldest] = held(oldest)
        for number in UInt64(2)...100_000 {
            let key = LeaseKey(incarnation: 1, number: number)
            leases[key] = held(key)
            leases[key] = nil
        }
        #expect(leases.count == 1)
        #expect(leases[oldest] == held(oldest))
        #expect(leases.gapCount <= 1_024 + 2)
    }
}
