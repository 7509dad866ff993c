import HeapModule
import Wire

/// When calls want to be looked at again. An alarm of a call that is over rings for nobody.
struct Alarms {
    struct Alarm: Comparable {
        enum Reason: Int { case deadline, resume }

        let at: Instant
        let call: CallID
        let reason: Reason

        static func < (left: Alarm, right: Alarm) -> Bool {
            (left.at, left.call, left.reason.rawValue) < (right.at, right.call, right.reason.rawValue)
        }
    }

    private var heap = Heap<Alarm>()

    var next: Instant? { heap.min?.at }

    mutating func set(_ reason: Alarm.Reason, for call: CallID, at instant: Instant) {
        heap.insert(Alarm(at: instant, call: call, reason: reason))
    }

    /// The next alarm that is due.
    mutating func ring(now: Instant) -> Alarm? {
        guard let alarm = heap.min, now >= alarm.at else { return nil }
        return heap.popMin()
    }

    /// Drops alarms at the top whose calls are over, so that `next` wakes nobody in vain.
    mutating func prune(isOver: (CallID) -> Bool) {
        while let alarm = heap.min, isOver(alarm.call) { heap.removeMin() }
    }
}
