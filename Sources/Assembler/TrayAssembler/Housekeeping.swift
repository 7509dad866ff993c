import AssemblerStore
import Logging
import Wire

/// What the store needs now and then, between rounds and in slices: retention, checkpoints, vacuum, room.
struct Housekeeping {
    private let store: Store
    private let room: Room
    private let retention: Duration
    private let log: Logger
    private var nextLook = Instant(nanoseconds: 0)
    private var nextRetention = Instant(nanoseconds: 0)
    private var nextTidying = Instant(nanoseconds: 0)
    private var isShort = false
    private var hasNoRoom = false

    private static let slice = Duration.milliseconds(5)
    private static let deletedOrderCountMax = 50

    init(store: Store, room: Room, retention: Duration, log: Logger) {
        self.store = store
        self.room = room
        self.retention = retention
        self.log = log
    }

    var nextDeadline: Instant? { min(nextLook, nextRetention, nextTidying) }

    /// Once a second: whether the store's files are where they were, and its disk has room.
    /// - Returns: whether the disk is short of room, where that has changed.
    mutating func look(now: Instant) throws(StoreError) -> Bool? {
        guard now >= nextLook else { return nil }
        nextLook = now.advanced(by: .seconds(1))
        try store.checkInPlace()
        guard room.sufficesForOrders == isShort else { return nil }
        isShort.toggle()
        log.warning(
            isShort
                ? "disk nearly full: new orders are refused" : "disk has room again: new orders are taken",
            metadata: [
                "free_bytes": "\(room.freeBytes ?? 0)", "reserve_bytes": "\(room.reserveBytes)",
                "folder": "\(room.folder)",
            ])
        return isShort
    }

    /// - Throws: But not for want of room: what is not tidied today is tidied tomorrow, and a commit that does
    ///   not fit says so itself.
    mutating func run(now: Moment) throws(StoreError) {
        do throws(StoreError) {
            try retain(now: now)
            try tidy(now: now)
            hasNoRoom = false
        } catch .full(let path, let detail) {
            nextRetention = max(nextRetention, now.instant.advanced(by: .seconds(1)))
            nextTidying = max(nextTidying, now.instant.advanced(by: .seconds(1)))
            guard !hasNoRoom else { return }
            hasNoRoom = true
            log.warning("no room to tidy the store", metadata: ["store": "\(path)", "error": "\(detail)"])
        }
    }

    private mutating func retain(now: Moment) throws(StoreError) {
        guard now.instant >= nextRetention else { return }
        let before = WallTime(milliseconds: now.wall.milliseconds - retention.milliseconds)
        let deletedCount = try store.deleteEnded(
            before: before, orderCountMax: Housekeeping.deletedOrderCountMax)
        let isMore = deletedCount == Housekeeping.deletedOrderCountMax
        nextRetention = now.instant.advanced(by: isMore ? .milliseconds(20) : .seconds(60))
    }

    private mutating func tidy(now: Moment) throws(StoreError) {
        guard now.instant >= nextTidying else { return }
        let isMore = try store.tidy(budget: Housekeeping.slice)
        nextTidying = now.instant.advanced(by: isMore ? .milliseconds(20) : .seconds(1))
    }
}
