import Wire

/// The outcomes of one order in the order in which they land, as batches: see `Producer.outcomes(of:after:)`.
///
/// Holds its producer, which must not be closed before.
public struct Outcomes: AsyncSequence, Sendable {
    let producer: Producer
    let order: OrderID
    let landing: Int

    public struct AsyncIterator: AsyncIteratorProtocol {
        private enum Progress { case fresh, following, over }

        fileprivate let outcomes: Outcomes
        private var progress = Progress.fresh
        /// The last landing that was told.
        private var landing: Int

        fileprivate init(_ outcomes: Outcomes) {
            self.outcomes = outcomes
            landing = outcomes.landing
        }

        /// Waits for the next outcomes. After an error, calling it again goes on from the same landing.
        public mutating func next() async throws -> OutcomeBatch? {
            switch progress {
            case .over: return nil
            case .fresh: return try await pull(wait: false)
            case .following: return try await pull(wait: true)
            }
        }

        private mutating func pull(wait: Bool) async throws -> OutcomeBatch {
            let batch = try await outcomes.producer.pull(outcomes.order, after: landing, wait: wait)
            landing += batch.outcomes.count
            let isAllTold = batch.summary.status.hasEnded && landing >= batch.summary.lastLanding
            progress = isAllTold ? .over : .following
            return batch
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}

/// The slots of one order, in submitted order, as pages: see `Producer.pages(of:)`.
///
/// Holds its producer, which must not be closed before.
public struct TrayPages: AsyncSequence, Sendable {
    let producer: Producer
    let order: OrderID

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let pages: TrayPages
        private var nextIndex = 0
        private var isOver = false

        fileprivate init(_ pages: TrayPages) { self.pages = pages }

        public mutating func next() async throws -> TrayPage? {
            guard !isOver else { return nil }
            let page = try await pages.producer.tray(
                of: pages.order, from: nextIndex, countMax: Limits.batchCountMax)
            nextIndex += page.items.count
            isOver = nextIndex >= page.summary.itemCount
            return page
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}
