import Foundation
import Glibc
import Testing

/// A small disk of its own, in memory: it can be full, and it can be read-only.
final class Disk {
    let folder: URL

    /// Mounting is the system administrator's.
    static let isPossible: Bool = {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tray-disk-\(UUID().uuidString)")
        defer { rmdir(folder.path) }
        guard mkdir(folder.path, 0o700) == 0, mount("tmpfs", folder.path, "tmpfs", 0, "size=64k") == 0 else {
            return false
        }
        return umount2(folder.path, Int32(MNT_DETACH)) == 0
    }()

    static let reason: Comment = "a small disk can be mounted here"

    /// Mounts a disk in the shop's folder for `body`, puts the store on it, and unmounts it whatever happens.
    static func open(mebibytes: Int, in shop: Shop, _ body: (Disk) async throws -> Void) async throws {
        let disk = try Disk(at: shop.folder.appending(path: "disk"), mebibytes: mebibytes)
        defer { umount2(disk.folder.path, Int32(MNT_DETACH)) }
        shop.environment["TRAY_STORE"] = disk.folder.appending(path: "tray.sqlite").path
        try await body(disk)
    }

    private init(at folder: URL, mebibytes: Int) throws {
        self.folder = folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Disk.check(mount("tmpfs", folder.path, "tmpfs", 0, "size=\(mebibytes)m,mode=755"))
    }

    /// Fills it until so much is left, to the byte where that is nothing.
    func fill(leavingMebibytes left: Int = 0) throws {
        let block = [UInt8](repeating: 0x78, count: 4_096)
        let descriptor = Glibc.open(filler.path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        while try freeBytes > left << 20 {
            guard write(descriptor, block, block.count) == block.count else {
                try #require(errno == ENOSPC)
                return
            }
        }
    }

    func makeRoom() throws { try FileManager.default.removeItem(at: filler) }

    func remount(readOnly: Bool) throws {
        let flags = UInt(MS_REMOUNT) | (readOnly ? UInt(MS_RDONLY) : 0)
        try Disk.check(mount(nil, folder.path, nil, flags, nil))
    }

    private var filler: URL { folder.appending(path: "filler") }

    private var freeBytes: Int {
        get throws {
            var information = statvfs()
            try #require(statvfs(folder.path, &information) == 0)
            return Int(information.f_bavail) * Int(information.f_frsize)
        }
    }

    private static func check(_ code: Int32) throws {
        if code != 0 { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }
}
