import Wire

extension WorkerMachine {
    /// What has happened to this worker.
    public enum Input: Equatable, Sendable {
        /// A fresh connection to the assembler is up; nothing has been said on it.
        case linkOpened
        case linkClosed
        case received(KitchenMessage)
        /// Something arrived that is not of the contract.
        case undecodable(WireError)
        /// A started handler has returned, whether it was told to stop or not.
        case handlerEnded(LeaseID, HandlerOutcome)
        /// Take no more leases, finish what runs, then end.
        case drain
        /// Stop everything now.
        case hurry
    }

    /// What the shell must do, in the order given.
    public enum Action: Equatable, Sendable {
        case send(WorkerMessage)
        /// Run the handler of the lease's station; its end is told with `handlerEnded`.
        case start(Lease)
        /// Make a started handler end. It holds its place until `handlerEnded` says that it did.
        case stop(LeaseID, StopReason)
        /// Give the connection up and make a new one. No `linkClosed` needs to follow.
        case resetLink
        /// The last action: the worker is over.
        case finished(Ending)
        case note(Note)
    }

    /// Why the worker is over.
    public enum Ending: Equatable, Sendable {
        /// Nothing runs, and the assembler has acknowledged every result.
        case drained
        /// It could wait no longer: what it held will run again elsewhere.
        case leftBehind(runningCount: Int, heldCount: Int)
        /// The assembler speaks none of our versions.
        case noCommonVersion(theirs: VersionRange, message: String)
        case notAuthorised(message: String)
    }

    /// What an operator may want to know. The core does not log; the shell does.
    public enum Note: Equatable, Sendable {
        /// `name` is ours as people will see it.
        case welcomed(name: String, session: UInt64)
        /// A hello went unanswered.
        case helloUnanswered
        /// The assembler has been silent for so long.
        case assemblerSilent(Duration)
        case refused(Refusal)
        /// The assembler sent something that this worker cannot read or use.
        case undecodable(WireError)
        case unusableWelcome
        /// A lease that cannot run here was given back.
        case leaseReturned(LeaseID, station: String, Returned.Reason)
        /// A handler was stopped.
        case stopped(LeaseID, StopReason)
        /// The assembler has dropped a result.
        case resultDropped(LeaseID, Ack.Fate)
        /// So many unacknowledged results are held that no more work is asked for.
        case holdingBack(heldCount: Int, heldBytes: Int)
        case askingAgain
        case draining(runningCount: Int, heldCount: Int)
        case hurrying(runningCount: Int, heldCount: Int)
    }

    /// What follows from a round's inputs. A worker saves nothing, so these are actions only.
    public struct Step: Equatable, Sendable {
        public var actions: [Action] = []

        public init(_ actions: [Action] = []) { self.actions = actions }

        mutating func add(_ action: Action) { actions.append(action) }
    }
}

/// How a handler ended. A failure is data, not a thrown error.
public enum HandlerOutcome: Equatable, Sendable {
    case done(Content)
    /// `message` is for people; what exceeds 8 KiB of it is cut. A permanent failure is not tried again.
    case failed(message: String, isPermanent: Bool)
}

/// Why a handler is told to stop.
public enum StopReason: Equatable, Sendable {
    /// The assembler wants no result of this lease any more.
    case revoked
    /// It ran for longer than its attempt may.
    case timeout(Duration)
    /// The worker is going away.
    case draining
}

/// A station that the worker serves.
public struct ServedStation: Equatable, Sendable {
    public let name: String
    /// Leases held at once: 1 to 65,536.
    public let capacity: Int
    /// How long one attempt may take here, where the lease allows longer. `nil`: as long as the lease says.
    public let timeout: Duration?

    public init(name: String, capacity: Int, timeout: Duration? = nil) {
        self.name = name
        self.capacity = capacity
        self.timeout = timeout
    }
}
