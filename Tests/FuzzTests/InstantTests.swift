import Testing
import Wire

@Suite("The earliest of some instants")
struct InstantTests {
    private func at(_ number: Int64?) -> Instant? { number.map { Instant(nanoseconds: $0) } }

    @Test(
        "is the nearest of those that come at all",
        arguments: [
            ([nil, nil, nil], nil), ([5, nil, nil], 5), ([nil, 5, nil], 5), ([nil, nil, 5], 5),
            ([7, 5, nil], 5), ([5, 7, nil], 5), ([7, nil, 5], 5), ([nil, 7, 5], 5), ([6, 7, 5], 5),
            ([5, 6, 7], 5), ([6, 5, 7], 5),
        ] as [([Int64?], Int64?)])
    func nearest(of instants: [Int64?], is expected: Int64?) {
        #expect(Instant.earliest(at(instants[0]), at(instants[1]), at(instants[2])) == at(expected))
    }
}
