import CGuardian
import Glibc
import Synchronization

/// The process that ends the groups of this one's commands when it dies, however it dies: CGuardian has it.
final class Guardian: Sendable {
    /// One for the process, because it is the process that dies.
    static let ofThisProcess = Guardian()

    /// One run of a command, from before its program starts until its group is gone.
    struct Run: Sendable {
        /// Never used twice.
        let number: UInt64
        fileprivate let place: UInt32

        /// By which the guardian recognises the program of a run whose group it has not learnt.
        var variable: (name: String, value: String) {
            (TRAY_GUARDIAN_VARIABLE, String(cString: tray_guardian_mark()) + String(number))
        }
    }

    private struct State {
        var freePlaces: [UInt32] = []
        var placeCount: UInt32 = 0
        var lastNumber: UInt64 = 0
    }

    private let state = Mutex(State())

    private init() {}

    /// From here on the guardian looks for the program of this run, which may start now.
    func announce() throws(GuardianError) -> Run {
        let error = tray_guardian_start()
        guard error == 0 else { throw .notThere(errno: error) }
        let run = state.withLock { state -> Run? in
            guard let place = state.freePlaces.popLast() ?? Guardian.newPlace(&state.placeCount) else {
                return nil
            }
            state.lastNumber += 1
            return Run(number: state.lastNumber, place: place)
        }
        guard let run else { throw .full }
        tray_guardian_announce(run.place, run.number)
        return run
    }

    private static func newPlace(_ count: inout UInt32) -> UInt32? {
        guard count < TRAY_GUARDIAN_PLACES_MAX else { return nil }
        count += 1
        return count - 1
    }

    func learn(_ group: ProcessGroup, of run: Run) { tray_guardian_learn(run.place, group.id) }

    /// Once per run: nothing of it is left.
    func forget(_ run: Run) {
        tray_guardian_forget(run.place)
        state.withLock { $0.freePlaces.append(run.place) }
    }
}

/// Why a command cannot be guarded, and so is not run.
enum GuardianError: Error, CustomStringConvertible {
    case notThere(errno: Int32)
    case full

    var description: String {
        switch self {
        case .notThere(let errno):
            "no process can be started that would end it with this worker: \(String(cString: strerror(errno)))"
        case .full: "\(TRAY_GUARDIAN_PLACES_MAX) commands run already, and no more can be guarded"
        }
    }
}
