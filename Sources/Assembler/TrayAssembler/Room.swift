import Foundation
import Glibc

/// How much room the disk of a store has, and how much it should have.
struct Room {
    let folder: String
    /// With less, new orders are refused, so that results of accepted ones still fit.
    let reserveBytes: Int

    init(of storePath: String, reserveBytes: Int) {
        folder = URL(filePath: storePath).deletingLastPathComponent().path(percentEncoded: false)
        self.reserveBytes = reserveBytes
    }

    /// With less, a start serves reads only.
    ///
    /// With the default reserve it is enough for the largest round and its log, so that what begins to write does not
    /// end at once; a smaller reserve is its owner's word that less will do.
    var startBytesMin: Int { max(reserveBytes / 16, Room.startBytesFloor) }

    private static let startBytesFloor = 1 << 20

    /// `nil` where nobody can tell, as while the folder is not there: then nothing is refused for it.
    var freeBytes: Int? {
        var information = statvfs()
        guard statvfs(folder, &information) == 0 else { return nil }
        return Int(information.f_bavail) * Int(information.f_frsize)
    }

    var sufficesForStart: Bool { freeBytes.map { $0 >= startBytesMin } ?? true }

    var sufficesForOrders: Bool { freeBytes.map { $0 >= reserveBytes } ?? true }
}
