import Foundation
import Glibc
import Testing

/// A mounted disk that keeps a journal of everything that happens to it.
final class JournaledDisk {
    let folder: URL
    let journal: URL
    private let server: Running

    /// Why there can be none here; `nil` where there can.
    static let obstacle: String? = {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "tray-journalfs-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }  // a leftover harms nobody
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            if access("/dev/fuse", R_OK | W_OK) != 0 { return "/dev/fuse cannot be opened" }
            guard
                JournaledDisk.shell(
                    "command -v fusermount3 && command -v cc && pkg-config --exists fuse3", in: folder)
            else {
                return "libfuse is missing: scripts/install-dependencies --test"
            }
            try JournaledDisk.build(in: folder)
            let disk = try JournaledDisk(in: folder, syncMicroseconds: 0)
            defer { disk.unmount() }
            return disk.isMounted ? nil : "nothing can be mounted here: \(disk.server.errorText)"
        } catch {
            return "\(error)"
        }
    }()

    struct NotBuilt: Error { let errors: String }

    /// Mounts a disk in the shop's folder for `body`, puts the store into a folder on it that is not there yet,
    /// and unmounts it whatever happens.
    /// - Returns: what happened to it.
    static func open(
        in shop: Shop, syncMicroseconds: Int, _ body: (JournaledDisk) async throws -> Void
    ) async throws -> Journal {
        try build(in: shop.folder)
        let disk = try JournaledDisk(in: shop.folder, syncMicroseconds: syncMicroseconds)
        defer { disk.unmount() }
        try #require(disk.isMounted, "\(disk.server.errorText)")
        shop.environment["TRAY_STORE"] = disk.folder.path + storeName
        try await body(disk)
        disk.unmount()
        return try Journal(contentsOf: disk.journal)
    }

    /// The store's path on the disk.
    static let storeName = "/kitchen/store/tray.sqlite"

    /// Bytes of the journal so far. Whatever was answered before this was asked for stands in them.
    var journalByteCount: Int {
        var status = stat()
        return stat(journal.path, &status) == 0 ? Int(status.st_size) : 0
    }

    private init(in folder: URL, syncMicroseconds: Int) throws {
        self.folder = folder.appending(path: "disk")
        journal = folder.appending(path: "journal")
        let backing = folder.appending(path: "backing")
        for folder in [self.folder, backing] {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        server = try Running(
            "journalfs", folder.appending(path: "journalfs"),
            [
                backing.path, journal.path, "\(syncMicroseconds)", self.folder.path, "-f", "-s", "-o",
                "auto_unmount,fsname=journalfs",
            ],
            in: folder, environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"])
        for _ in 0..<2_000 where server.hasEnded == nil && !isMounted { usleep(5_000) }
    }

    /// Whether something is mounted there: it is another device than the folder that it stands in.
    private var isMounted: Bool {
        var (mine, outer) = (stat(), stat())
        return stat(folder.path, &mine) == 0
            && stat(folder.deletingLastPathComponent().path, &outer) == 0 && mine.st_dev != outer.st_dev
    }

    /// May be called again. Whoever still has files open there cannot hold it up.
    private func unmount() {
        guard server.hasEnded == nil else { return }
        _ = JournaledDisk.shell("fusermount3 -u -z disk", in: folder.deletingLastPathComponent())
        for _ in 0..<400 where server.hasEnded == nil { usleep(5_000) }
        server.send(SIGKILL)
        for _ in 0..<400 where server.hasEnded == nil { usleep(5_000) }
    }

    private static func build(in folder: URL) throws {
        let source = Place.repository.appending(path: "Tests/PowerCut/journalfs.c").path
        guard
            shell(
                "cc -O2 -Wall -Wextra -Werror -o journalfs '\(source)' $(pkg-config --cflags --libs fuse3) 2> cc.log",
                in: folder)
        else {
            throw NotBuilt(
                errors: (try? String(contentsOf: folder.appending(path: "cc.log"), encoding: .utf8)) ?? "")
        }
    }

    /// - Returns: whether it ended with 0, within a minute.
    private static func shell(_ command: String, in folder: URL) -> Bool {
        guard
            let process = try? Running(
                "sh", URL(filePath: "/bin/sh"), ["-c", command], in: folder,
                environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"])
        else { return false }
        for _ in 0..<12_000 where process.hasEnded == nil { usleep(5_000) }
        process.send(SIGKILL)
        return process.hasEnded == .exit(0)
    }
}
