import Logging
import Wire

/// A connection to an assembler: submits orders, watches them, gathers their trays.
public actor Producer {
    public nonisolated let endpoint: String

    /// - Parameter timeout: How long each call tries to reach the assembler and be accepted.
    public init(
        endpoint: String = Defaults.ordersEndpoint, program: String, timeout: Duration = .seconds(10),
        logger: Logger? = nil
    ) throws(ProducerError) {
        self.endpoint = endpoint
    }

    public func submit(_ order: NewOrder) async throws -> Receipt { preconditionFailure() }

    /// The outcomes of an order in the order in which they land, pulled batch by batch, until it has ended and all
    /// are told. Survives lost connections and restarts of the assembler. The first batch comes at once, even if it is
    /// empty, so that its summary can be shown.
    public nonisolated func outcomes(of id: OrderID, after landing: Int = 0) -> Outcomes {
        preconditionFailure()
    }

    public func summary(of id: OrderID) async throws -> OrderSummary { preconditionFailure() }

    /// The slots of an order as they stand, in submitted order, page by page.
    public nonisolated func pages(of id: OrderID) -> TrayPages { preconditionFailure() }

    public func report(of id: OrderID) async throws -> TrayReport { preconditionFailure() }

    /// Submits, waits for the end, reports. When the task is cancelled the order goes on.
    public func gather(_ order: NewOrder) async throws -> TrayReport { preconditionFailure() }

    /// Orders, the newest first.
    public func orders(status: OrderStatus? = nil, limit: Int? = nil) async throws -> [OrderSummary] {
        preconditionFailure()
    }

    /// The state of the order after the cancellation: one that had ended stays as it was.
    public func cancel(_ id: OrderID) async throws -> OrderSummary { preconditionFailure() }

    public func workers() async throws -> [WorkerState] { preconditionFailure() }

    public func stations() async throws -> [StationState] { preconditionFailure() }

    public func ping() async throws -> Pong { preconditionFailure() }

    /// Ends the connection; calls that wait throw `ProducerError.closed`.
    public func close() async {}
}

public struct Outcomes: AsyncSequence, Sendable {
    public struct AsyncIterator: AsyncIteratorProtocol {
        public mutating func next() async throws -> OutcomeBatch? { preconditionFailure() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator() }
}

public struct TrayPages: AsyncSequence, Sendable {
    public struct AsyncIterator: AsyncIteratorProtocol {
        public mutating func next() async throws -> TrayPage? { preconditionFailure() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator() }
}
