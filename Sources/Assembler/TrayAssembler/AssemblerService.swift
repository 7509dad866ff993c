import AssemblerCore
import AssemblerStore
import Foundation
import Logging
import Wire
import ZeroMQ

/// Why an assembler cannot start, or cannot go on.
public enum AssemblerError: Error, CustomStringConvertible, Sendable {
    case store(StoreError)
    case socket(ZeroMQError)

    public var description: String {
        switch self {
        case .store(let error): "\(error)"
        case .socket(let error): "\(error)"
        }
    }
}

/// The assembler as a service: sockets, core and store on one thread, without locks.
public actor AssemblerService {
    public struct Options: Sendable {
        public var orders = Defaults.ordersEndpoint
        public var kitchen = Defaults.kitchenEndpoint
        public var events = Defaults.eventsEndpoint
        public var store = "./data/tray.sqlite"
        public var core = CoreConfiguration()
        /// How long ended orders are kept.
        public var retention = Duration.seconds(7 * 24 * 3600)
        /// With less room than this on the store's disk, new orders are refused, so that results still fit.
        public var diskReserveBytes = 256 << 20

        public init() {}
    }

    /// Where the endpoints are bound, wildcards resolved.
    public struct Addresses: Equatable, Sendable {
        public let orders: String
        public let kitchen: String
        public let events: String
    }

    private nonisolated let thread = PollingThread(name: "assembler")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    let options: Options
    let log: Logger
    private let clock = Clock()
    /// At most one of the two is there.
    private var running: RunningAssembler?
    private var reading: ReadingAssembler?
    private var end: Result<Void, AssemblerError>?
    private var endWaiters: [CheckedContinuation<Void, any Error>] = []

    public init(_ options: Options, log: Logger) {
        self.options = options
        self.log = log
    }

    /// Opens the store, takes up what had not ended, and binds. Returns once all endpoints answer.
    ///
    /// Where the store's disk has no room it serves reads, and begins by itself once there is room.
    public func start() throws(AssemblerError) -> Addresses {
        precondition(running == nil && reading == nil && end == nil, "an assembler starts once")
        let addresses: Addresses
        do {
            addresses = try open(now: clock.moment())
        } catch let error as StoreError {
            throw .store(error)
        } catch let error as ZeroMQError {
            throw .socket(error)
        } catch {
            preconditionFailure("opening fails with an error of another kind: \(error)")
        }
        thread.onRound { [weak self] in
            guard let self else { return nil }
            return self.assumeIsolated { $0.round() }
        }
        thread.wake()
        return addresses
    }

    private func open(now: Moment) throws -> Addresses {
        let store = try Store.open(path: options.store)
        let room = Room(of: store.path, reserveBytes: options.diskReserveBytes)
        let beginning: Beginning?
        do throws(StoreError) {
            beginning = try Beginning(of: store, room: room, at: now.wall)
        } catch {
            throw store.rescue(from: error)
        }
        let standing = try store.standing()
        let doors = try Doors(options, thread: thread)
        let addresses = doors.addresses
        if let beginning {
            begin(beginning, store, doors, now: now)
        } else {
            reading = ReadingAssembler(
                standing, store: store, doors: doors, options: options, thread: thread, now: now, log: log)
        }
        return addresses
    }

    private func begin(_ beginning: Beginning, _ store: Store, _ doors: consuming Doors, now: Moment) {
        running = RunningAssembler(
            beginning, store: store, doors: doors, options: options, thread: thread, now: now, log: log)
    }

    /// Returns when the assembler has stopped.
    /// - Throws: `AssemblerError` when it could not go on.
    public func waitForEnd() async throws {
        if let end { return try end.get() }
        try await withCheckedThrowingContinuation { endWaiters.append($0) }
    }

    /// Ends after the round: what is committed is in the store, workers keep what they run and hold.
    public func stop() {
        finish(.success(()))
    }

    private func round() -> ContinuousClock.Instant? {
        do {
            try beginWhereThereIsRoom()
            let next = try running?.round(clock) ?? reading?.round(now: clock.moment().instant)
            return next.map(clock.instant)
        } catch let error as StoreError {
            finish(.failure(.store(error)))
        } catch let error as ZeroMQError {
            finish(.failure(.socket(error)))
        } catch {
            preconditionFailure("a round fails with an error of another kind: \(error)")
        }
        return nil
    }

    private func beginWhereThereIsRoom() throws(StoreError) {
        let now = clock.moment()
        guard let beginning = try reading?.lookForRoom(now: now), let store = reading?.store,
            let doors = reading.take()?.handOver()
        else { return }
        log.info("there is room for the store")
        begin(beginning, store, doors, now: now)
    }

    private func finish(_ result: Result<Void, AssemblerError>) {
        guard end == nil else { return }
        var result = result
        do throws(StoreError) {
            try running.take()?.close(isOrderly: (try? result.get()) != nil)
            try reading.take()?.close()
        } catch {
            // Where its files were displaced, this says where their content is now.
            result = .failure(.store(error))
        }
        end = result
        for waiter in endWaiters { waiter.resume(with: result.mapError { $0 as any Error }) }
        endWaiters = []
    }
}

/// The two clocks of the process, in the core's terms.
struct Clock: Sendable {
    private let origin = ContinuousClock.now

    func moment() -> Moment {
        Moment(
            instant: Instant(nanoseconds: origin.duration(to: .now).nanoseconds),
            wall: WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000)))
    }

    func instant(_ instant: Instant) -> ContinuousClock.Instant {
        origin.advanced(by: .nanoseconds(instant.nanoseconds))
    }
}
