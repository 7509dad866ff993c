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
        public var store = "./data/tray.sqlite"
        public var core = CoreConfiguration()
        /// How long ended orders are kept.
        public var retention = Duration.seconds(7 * 24 * 3600)
        /// With less room than this on the store's disk, new orders are refused, so that results still fit.
        public var diskReserveBytes = 256 << 20

        public init() {}
    }

    private nonisolated let thread = PollingThread(name: "assembler")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    let options: Options
    let log: Logger
    private let clock = Clock()
    private var running: RunningAssembler?
    private var end: Result<Void, AssemblerError>?
    private var endWaiters: [CheckedContinuation<Void, any Error>] = []

    public init(_ options: Options, log: Logger) {
        self.options = options
        self.log = log
    }

    /// Opens the store, takes up what had not ended, and binds. Returns once both endpoints answer.
    /// - Returns: where `orders` and `kitchen` are bound.
    public func start() throws(AssemblerError) -> (orders: String, kitchen: String) {
        precondition(running == nil && end == nil, "an assembler starts once")
        let opened: RunningAssembler
        do {
            opened = try RunningAssembler(options: options, thread: thread, now: clock.moment(), log: log)
        } catch let error as StoreError {
            throw .store(error)
        } catch let error as ZeroMQError {
            throw .socket(error)
        } catch {
            preconditionFailure("opening fails with an error of another kind: \(error)")
        }
        let addresses = (orders: opened.orders.address, kitchen: opened.kitchen.address)
        running = consume opened
        thread.onRound { [weak self] in
            guard let self else { return nil }
            return self.assumeIsolated { $0.round() }
        }
        thread.wake()
        return addresses
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
        guard running != nil else { return nil }
        do {
            let next = try running?.round(clock)
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

    private func finish(_ result: Result<Void, AssemblerError>) {
        guard end == nil else { return }
        var result = result
        if let opened = running.take() {
            do {
                try opened.close(isOrderly: (try? result.get()) != nil)
            } catch let error as StoreError {
                if case .success = result { result = .failure(.store(error)) }
            } catch {
                preconditionFailure("closing fails with an error of another kind: \(error)")
            }
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
