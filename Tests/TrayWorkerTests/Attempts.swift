import Foundation
import Testing
import TrayWorker
import Wire

/// An attempt, as a lease would bring it.
func attempt(_ payload: Content = Content(), number: Int = 1, resultBytesMax: Int = 1 << 20) -> Attempt {
    Attempt(
        order: OrderID(high: 1, low: 2), itemIndex: 4, itemName: "burger", station: "grill", number: number,
        lease: LeaseID(incarnation: 3, number: 17), payload: payload, resultBytesMax: resultBytesMax)
}

/// A command of `sh`, without a payload in its words.
func shell(
    _ script: String, output: CommandHandler.Output = .plain, grace: Duration = .milliseconds(300)
) throws -> CommandHandler {
    try CommandHandler(["sh", "-c", script], output: output, grace: grace)
}

/// A folder that goes away with its last user.
final class Folder: Sendable {
    let path = NSTemporaryDirectory() + "tray-worker-" + UUID().uuidString

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }  // what stays, stays in the temporary folder

    func read(_ name: String) -> String? {
        FileManager.default.contents(atPath: "\(path)/\(name)").map { String(decoding: $0, as: UTF8.self) }
    }

    /// Waits for a file that another process writes in one go.
    func wait(for name: String) async throws -> String {
        for _ in 0..<500 {
            if let text = read(name), text.hasSuffix("\n") { return text.trimmingCharacters(in: .newlines) }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(name) was not written within 5 s")
        return ""
    }
}

/// Whether a process with this id is there, and not just waiting to be reaped.
func isAlive(_ id: String) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8) else { return false }
    return !status.contains(") Z ")
}
