import Seeded
import Testing
import Wire

@testable import AssemblerCore

@Suite("The openings of a station")
struct OpeningsTests {
    private let now = Moment(instant: Instant(nanoseconds: 0), wall: WallTime(milliseconds: 0))

    @Test("name the place that looking at all of them names, lease by lease", arguments: UInt64(1)...50)
    func likeAllOfThem(seed: UInt64) {
        var dice = SplitMix(seed: seed)
        var station = Station(name: "grill")
        var sessions = Sessions()
        for number in 0..<UInt64(1 + dice.below(20)) {
            let connection = ConnectionID(number)
            let instance = WorkerInstance(bytes: [UInt8(number)])
            var session = Session(
                number: number, hello: WorkerHello(), name: "worker-\(number)", stations: [], now: now)
            session.leasedCount = dice.below(5)
            sessions[connection] = session
            var place = Station.Place(
                connection: connection, instance: instance,
                sessionPosition: sessions.position(of: connection),
                capacity: dice.below(6))
            place.isDraining = dice.chance(0.1)
            place.isReserved = dice.chance(0.1)
            station.places.append(place)
        }
        var openings = Openings(at: station, among: sessions)
        while let best = openings.best {
            #expect(station.choose(avoiding: [], among: sessions) == .place(best))
            station.take(best)
            sessions[station.places[best].connection]?.leasedCount += 1
            openings.take()
        }
        #expect(station.choose(avoiding: [], among: sessions) == .nobody)
    }
}
