import Foundation
import Service
import TrayWorker
import Wire

enum Program {
    static let title = "tray-worker/0.1.0"
    static let version = "\(title) (protocol \(Frames.versions.lowest) to \(Frames.versions.highest))"

    static let kitchen = Setting<String>.text("kitchen", default: Defaults.kitchenEndpoint)
    static let drainTimeout = Setting<Duration>.duration("drain_timeout", default: .seconds(10))
    static let name = Setting<String?>(
        "name", default: nil, requirement: "a name of 1 to 64 letters, digits, '.', '_' and '-'"
    ) { Label.isValid($0) ? .some($0) : nil }

    /// The host's name and the beginning of the instance, so that replicas differ.
    static func defaultName(instance: [UInt8]) -> String {
        let host = ProcessInfo.processInfo.hostName.prefix { $0 != "." }
            .filter { Label.isValid(String($0)) }.prefix(Limits.labelBytesMax - 5)
        let suffix = instance.prefix(2).map { String(format: "%02x", $0) }.joined()
        return "\(host.isEmpty ? "worker" : host)-\(suffix)"
    }

    /// Why an ending is none to be content with; `nil` after an orderly drain.
    static func failure(of ending: WorkerService.Ending, kitchen: String) -> Failure? {
        switch ending {
        case .drained:
            nil
        case .leftBehind(let runningCount, let heldCount):
            Failure(
                .endedBadly,
                "left behind: \(runningCount) running handlers, \(heldCount) results that the assembler "
                    + "at \(kitchen) has not acknowledged; their items will run again")
        case .noCommonVersion(let theirs, let message):
            Failure(
                .configuration,
                "the assembler at \(kitchen) speaks protocol \(theirs.lowest) to \(theirs.highest), "
                    + "this worker \(Frames.versions.lowest) to \(Frames.versions.highest): \(message)")
        case .notAuthorised(let message):
            Failure(.notAuthorised, "the assembler at \(kitchen) does not let this worker in: \(message)")
        }
    }

    static func end(_ failure: Failure) -> Never {
        // Nobody is left to tell where standard error is closed.
        try? FileHandle.standardError.write(contentsOf: Data("worker: \(failure)\n".utf8))
        exit(failure.status.rawValue)
    }
}
