import Testing
import Wire

@testable import Simulation

@Suite("An alarm")
struct AlarmTests {
    private let five = Instant(nanoseconds: 5)
    private let nine = Instant(nanoseconds: 9)

    @Test("rings for the round that is due, once")
    func once() {
        var alarm = Alarm()
        #expect([alarm.set(at: five), alarm.ring(at: five), alarm.ring(at: five)] == [true, true, false])
    }

    @Test("is not set later than it is set already")
    func later() {
        var alarm = Alarm()
        #expect([alarm.set(at: five), alarm.set(at: five), alarm.set(at: nine)] == [true, false, false])
        // What was not set is set when it is wanted again.
        #expect([alarm.ring(at: five), alarm.set(at: nine)] == [true, true])
    }

    @Test(
        "that an earlier one has overtaken rings in vain, and needs no second event when it is wanted again")
    func overtaken() {
        var alarm = Alarm()
        #expect([alarm.set(at: nine), alarm.set(at: five), alarm.ring(at: five)] == [true, true, true])
        var idle = alarm
        #expect([idle.ring(at: nine), idle.set(at: nine)] == [false, true])
        // Its event is used up by the round that it brings.
        let again = [alarm.set(at: nine), alarm.ring(at: nine), alarm.set(at: nine)]
        #expect(again == [false, true, true])
    }
}
