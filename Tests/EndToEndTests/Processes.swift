import Foundation
import Glibc

/// A process as /proc shows it.
struct ProcessEntry: Equatable {
    let pid: pid_t
    let parent: pid_t
    /// 15 bytes of it at most.
    let name: String
    /// It has ended, and waits to be reaped.
    let isZombie: Bool

    /// `nil` where there is no such process (any more).
    init?(_ pid: pid_t) {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let open = status.firstIndex(of: "("), let close = status.lastIndex(of: ")")
        else { return nil }
        let fields = status[close...].split(separator: " ")
        guard fields.count > 2, let parent = pid_t(fields[2]) else { return nil }
        self.pid = pid
        self.parent = parent
        name = String(status[status.index(after: open)..<close])
        isZombie = fields[1] == "Z"
    }

    static func all() throws -> [ProcessEntry] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap(pid_t.init)
            .compactMap(ProcessEntry.init)
    }

    /// The variables that it was started with; none of a process that is gone or not ours.
    var environment: [Substring] {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\0")
    }

    /// How many of its open descriptors are sockets; `nil` of a process that is gone or not ours.
    var socketCount: Int? {
        let folder = "/proc/\(pid)/fd"
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return nil }
        return names.count { name in
            // One that was closed meanwhile is none.
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
            return target?.hasPrefix("socket:[") == true
        }
    }

    /// The most memory that it has ever held at once, in MiB.
    var memoryPeakMebibytes: Int? {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            let match = status.firstMatch(of: /VmHWM:\s+(\d+) kB/)
        else { return nil }
        return Int(match.1).map { $0 / 1_024 }
    }
}

extension Running {
    /// The processes that it has started itself.
    var children: [ProcessEntry] {
        get throws { try ProcessEntry.all().filter { $0.parent == pid } }
    }

    /// The one that ends its commands when it dies.
    var guardian: ProcessEntry? {
        get throws { try children.first { $0.name == "tray-guardian" && !$0.isZombie } }
    }
}

extension Shop {
    /// What is alive of the commands of this shop's workers, and of what those have started.
    func commands() throws -> [ProcessEntry] {
        try ProcessEntry.all().filter { process in
            guard !process.isZombie else { return false }
            let environment = process.environment
            return environment.contains { $0 == "HOME=\(folder.path)" }
                && environment.contains { $0.hasPrefix("TRAY_LEASE=") }
        }
    }

    /// Waits until so many of them are alive at once.
    @discardableResult
    func waitForCommands(count: Int) async throws -> [ProcessEntry] {
        try await eventually("\(count) processes of commands", every: .milliseconds(5)) {
            let commands = try commands()
            return commands.count >= count ? commands : nil
        }
    }

    /// Waits until none of them is alive.
    func waitForNoCommands(within limit: Duration) async throws {
        try await eventually("the end of all commands", within: limit, every: .milliseconds(2)) {
            try commands().isEmpty ? true : nil
        }
    }
}
