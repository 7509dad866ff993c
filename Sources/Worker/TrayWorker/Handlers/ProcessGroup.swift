import Foundation
import Glibc
import Synchronization

/// The processes of one command: its program and whatever that has started, unless it left the group.
struct ProcessGroup: Sendable {
    /// The id of the program's process, which leads the group.
    let id: pid_t

    /// What was killed may take so long to be gone: more only where the kernel does not let go of it.
    private static let goneAfterMax = Duration.seconds(1)
    /// What was killed and is there after so long may be just a zombie that is somebody else's to collect.
    private static let zombiesAfter = Duration.milliseconds(20)

    /// Kills its members, and does not wait until they are gone.
    ///
    /// - Returns: Whether there were any, zombies included.
    @discardableResult
    func kill() -> Bool {
        // The number of a group with members is not given to another process; an empty one has nobody to hit.
        Glibc.kill(-id, SIGKILL) == 0
    }

    /// Kills what the program has left behind when it ended, and waits until that is dead and, as far as it is ours to
    /// do, collected. Not cut short by cancellation.
    func endNow() async {
        guard kill() else { return }
        // A task of its own, because the current one may be cancelled and could not sleep.
        await Task {
            let killedAt = ContinuousClock.now
            var look = killedAt + ProcessGroup.zombiesAfter
            while hasMembers, ContinuousClock.now < killedAt + ProcessGroup.goneAfterMax {
                if ContinuousClock.now >= look {
                    guard hasLivingMembers else {
                        collect()
                        return
                    }
                    look = ContinuousClock.now + ProcessGroup.zombiesAfter * 5
                }
                // Nobody has this task, so nobody cancels it.
                try? await Task.sleep(for: .milliseconds(1))
            }
        }.value
    }

    /// Asks what is left to end, and kills it at `deadline`. Not cut short by cancellation.
    func end(by deadline: ContinuousClock.Instant) async {
        // A task of its own, because the current one has been cancelled and could not sleep.
        await Task {
            _ = Glibc.kill(-id, SIGTERM)
            while hasMembers, ContinuousClock.now < deadline {
                // Nobody has this task, so nobody cancels it.
                try? await Task.sleep(for: .milliseconds(10))
            }
            await endNow()
        }.value
    }

    /// Its program has been waited for.
    private var hasMembers: Bool {
        collect()
        return Glibc.kill(-id, 0) == 0
    }

    /// The first process of a container inherits orphans, and nobody else waits for them.
    private func collect() {
        while waitpid(-id, nil, WNOHANG) > 0 {}
    }

    /// Whether any member is more than a zombie. Looks through all processes.
    private var hasLivingMembers: Bool {
        // Without the list, all of them may live.
        guard let processes = try? FileManager.default.contentsOfDirectory(atPath: "/proc") else {
            return true
        }
        return processes.contains { process in
            // What is no process, or has gone meanwhile, has no such file.
            guard process.first?.isNumber == true,
                let line = FileManager.default.contents(atPath: "/proc/\(process)/stat"),
                let nameEnd = line.lastIndex(of: UInt8(ascii: ")"))
            else { return false }
            // State, parent, group.
            let fields = line[nameEnd...].split(separator: UInt8(ascii: " "), maxSplits: 4)
            return fields.count > 3 && fields[3].elementsEqual(String(id).utf8)
                && !fields[1].elementsEqual("Z".utf8)
        }
    }
}

/// The groups that run now, so that none outlives its worker: an orderly end kills them, and whatever other end
/// the process comes to, its guardian does.
final class ProcessGroups: Sendable {
    private struct State {
        var running: [UInt64: ProcessGroup] = [:]
        var isOver = false
    }

    private let state = Mutex(State())
    private let guardian = Guardian.ofThisProcess

    /// Before the program starts. Each run that is announced is ended, whatever becomes of it.
    func announce() throws(GuardianError) -> Guardian.Run { try guardian.announce() }

    func begin(_ group: ProcessGroup, _ run: Guardian.Run) {
        guardian.learn(group, of: run)
        state.withLock {
            $0.running[run.number] = group
            if $0.isOver { group.kill() }
        }
    }

    func end(_ run: Guardian.Run) {
        state.withLock { $0.running[run.number] = nil }
        guardian.forget(run)
    }

    /// Also those that begin from here on.
    func killAll() {
        state.withLock {
            $0.isOver = true
            for group in $0.running.values { group.kill() }
        }
    }
}
