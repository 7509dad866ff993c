import Foundation
import Glibc

/// A process of ours. Its outputs go to files, so that nothing is lost and nobody has to read along.
final class Running {
    let name: String
    let pid: pid_t
    let output: URL
    let errors: URL
    private var ending: Ending?

    /// How a process ended.
    enum Ending: Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    /// Starts `executable` in `folder`, with nothing of our environment but what is given.
    ///
    /// `env` changes the folder and then becomes the executable: it is the same process.
    init(
        _ name: String, _ executable: URL, _ arguments: [String], in folder: URL,
        environment: [String: String],
        input: URL? = nil
    ) throws {
        self.name = name
        output = folder.appending(path: "\(name).out")
        errors = folder.appending(path: "\(name).err")
        var attributes = Running.attributesOfAShell()
        defer { posix_spawnattr_destroy(&attributes) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let write = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, input?.path ?? "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output.path, write, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors.path, write, 0o600)
        let words = ["/usr/bin/env", "-C", folder.path, executable.path] + arguments
        let arguments = words.map { strdup($0) }
        let variables = environment.map { strdup("\($0.key)=\($0.value)") }
        defer { (arguments + variables).forEach { free($0) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, words[0], &actions, &attributes, arguments + [nil], variables + [nil])
        guard code == 0 else {
            throw CannotStart(executable: words[0], reason: String(cString: strerror(code)))
        }
        self.pid = pid
    }

    /// No signal blocked or ignored, as a shell would start it: threads of ours block signals, and children
    /// inherit that.
    private static func attributesOfAShell() -> posix_spawnattr_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        return attributes
    }

    struct CannotStart: Error {
        let executable: String
        let reason: String
    }

    /// Sends a signal to a process that has not ended.
    func send(_ signal: Int32) {
        guard hasEnded == nil else { return }
        kill(pid, signal)
    }

    /// How it ended; `nil` while it runs.
    var hasEnded: Ending? {
        guard ending == nil else { return ending }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7f
        ending = signal == 0 ? .exit(status >> 8 & 0xff) : .signal(signal)
        return ending
    }

    /// Waits for its end.
    @discardableResult
    func end(within limit: Duration = .seconds(20)) async throws -> Ending {
        try await eventually("the end of \(name)", within: limit, every: .milliseconds(2)) { self.hasEnded }
    }

    /// Kills it as a power cut would, and waits until it is gone.
    func die() async throws {
        send(SIGKILL)
        try await end()
    }

    var outputText: String { Running.text(of: output) }
    var errorText: String { Running.text(of: errors) }

    private static func text(of file: URL) -> String {
        guard let data = FileManager.default.contents(atPath: file.path) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}

/// Something that did not happen in time.
struct TookTooLong: Error, CustomStringConvertible {
    let what: String
    let limit: Duration

    var description: String { "\(what) did not come within \(limit)" }
}

/// How much more time and memory than usual everything costs here: limits are multiplied by it, and naps.
///
/// `TRAY_COST_FACTOR`, which `scripts/sanitize` sets; 1 without it.
let costFactor = ProcessInfo.processInfo.environment["TRAY_COST_FACTOR"].flatMap { Int($0) } ?? 1

/// Asks until there is an answer, for `limit` times `costFactor`.
@discardableResult
func eventually<Answer>(
    _ what: String, within limit: Duration = .seconds(20), every pause: Duration = .milliseconds(20),
    _ question: () async throws -> Answer?
) async throws -> Answer {
    let limit = limit * costFactor
    let deadline = ContinuousClock.now + limit
    while true {
        if let answer = try await question() { return answer }
        guard ContinuousClock.now < deadline else { throw TookTooLong(what: what, limit: limit) }
        try await Task.sleep(for: pause)
    }
}
