import Glibc
import Synchronization

/// The processes of one command: its program and whatever that has started, unless it left the group.
struct ProcessGroup: Sendable {
    /// The id of the program's process, which leads the group.
    let id: pid_t

    /// Kills what the program has left behind when it ended.
    func kill() {
        // The number of a group with members is not given to another process; an empty one has nobody to hit.
        _ = Glibc.kill(-id, SIGKILL)
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
            kill()
        }.value
    }

    /// Its program has been waited for.
    private var hasMembers: Bool {
        // The first process of a container inherits orphans, and nobody else waits for them.
        while waitpid(-id, nil, WNOHANG) > 0 {}
        return Glibc.kill(-id, 0) == 0
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
