import AssemblerStore
import Foundation
import Glibc
import Logging
import Wire

/// What the store needs now and then, between rounds and in slices: retention, checkpoints, vacuum, room.
struct Housekeeping {
    private let store: Store
    private let directory: String
    private let retention: Duration
    private let reserveBytes: Int
    private let log: Logger
    private var nextRoomCheck = Instant(nanoseconds: 0)
    private var nextRetention = Instant(nanoseconds: 0)
    private var nextTidying = Instant(nanoseconds: 0)
    private var isShort = false

    private static let slice = Duration.milliseconds(5)
    private static let deletedOrderCountMax = 50

    init(store: Store, path: String, retention: Duration, reserveBytes: Int, log: Logger) {
        self.store = store
        self.retention = retention
        self.reserveBytes = reserveBytes
        self.log = log
        directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
    }

    var nextDeadline: Instant? { min(nextRoomCheck, nextRetention, nextTidying) }

    /// - Returns: whether the disk is short of room, where that has changed.
    mutating func checkRoom(now: Instant) -> Bool? {
        guard now >= nextRoomCheck else { return nil }
        nextRoomCheck = now.advanced(by: .seconds(1))
        var information = statvfs()
        guard statvfs(directory, &information) == 0 else { return nil }
        let freeBytes = Int(information.f_bavail) * Int(information.f_frsize)
        guard (freeBytes < reserveBytes) != isShort else { return nil }
        isShort.toggle()
        log.warning(
            isShort
                ? "disk nearly full: new orders are refused" : "disk has room again: new orders are taken",
            metadata: [
                "free_bytes": "\(freeBytes)", "reserve_bytes": "\(reserveBytes)", "folder": "\(directory)",
            ])
        return isShort
    }

    mutating func run(now: Moment) throws(StoreError) {
        if now.instant >= nextRetention {
            let before = WallTime(milliseconds: now.wall.milliseconds - retention.milliseconds)
            let deletedCount = try store.deleteEnded(
                before: before, orderCountMax: Housekeeping.deletedOrderCountMax)
            let isMore = deletedCount == Housekeeping.deletedOrderCountMax
            nextRetention = now.instant.advanced(by: isMore ? .milliseconds(20) : .seconds(60))
        }
        if now.instant >= nextTidying {
            let isMore = try store.tidy(budget: Housekeeping.slice)
            nextTidying = now.instant.advanced(by: isMore ? .milliseconds(20) : .seconds(1))
        }
    }
}
