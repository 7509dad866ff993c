import Foundation
import Testing
import ZeroMQ

extension Socket.SendOutcome {
    var isSent: Bool { if case .sent = self { true } else { false } }
    var isFull: Bool { if case .full = self { true } else { false } }
    var isUnreachable: Bool { if case .unreachable = self { true } else { false } }
}

func expectSent(_ outcome: Socket.SendOutcome, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(outcome.isSent, "\(outcome)", sourceLocation: sourceLocation)
}

struct TookTooLong: Error {}

/// Looks every millisecond; real sockets have no other way to say that they are quiet.
func waitUntil(_ limit: Duration = .seconds(60), _ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else { throw TookTooLong() }
        usleep(1_000)
    }
}

func waitForMessage(at socket: borrowing Socket) throws -> Received? {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if let received = try socket.receive() { return received }
        usleep(1_000)
    }
    return nil
}

func waitForEvent(
    at monitor: borrowing SocketMonitor, _ isWanted: (MonitorEvent) -> Bool
) throws -> MonitorEvent? {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if let event = try monitor.next() {
            if isWanted(event) { return event }
        } else {
            usleep(1_000)
        }
    }
    return nil
}

/// The same for what is reached with `await`.
func eventually(_ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw TookTooLong() }
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// The names of this process's threads.
func threadNames() -> [String] {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return tasks.compactMap { task in
        // A thread may end between the two looks.
        let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
        return name?.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
