import Wire

/// What can be asked of an assembler. All of it may be asked again: nothing happens twice.
public enum Request: Equatable, Sendable {
    case submit(Submission)
    /// Up to `countMax` outcomes after a cursor. With `wait`, the answer may take as long as the order does.
    case watch(OrderID, afterLanding: Int, countMax: Int, wait: Bool)
    /// The summary and up to `countMax` slots: 0 to 1,000.
    case tray(OrderID, firstIndex: Int, countMax: Int)
    /// Up to `countMax` orders that are older than `after`, the newest first: 1 to 1,000.
    case list(OrderStatus?, after: OrderID?, countMax: Int)
    case cancel(OrderID)
    case workers
    case stations
    case ping

    /// The message that asks; of a submission, the one that opens it.
    func body(pageItemCountMax: Int) -> ProducerMessage.OneOf_Body {
        switch self {
        case .submit(let submission):
            .submit(submission.opening(pageItemCountMax: pageItemCountMax))
        case .watch(let order, let afterLanding, let countMax, let wait):
            .watch(
                .with {
                    $0.order = order.data
                    $0.afterLanding = UInt32(afterLanding)
                    $0.outcomeCountMax = UInt32(countMax)
                    $0.wait = wait
                })
        case .tray(let order, let firstIndex, let countMax):
            .tray(
                .with {
                    $0.order = order.data
                    $0.firstIndex = UInt32(firstIndex)
                    $0.itemCountMax = UInt32(countMax)
                })
        case .list(let status, let after, let countMax):
            .list(
                .with {
                    if let status { $0.status = status }
                    if let after { $0.afterOrder = after.data }
                    $0.orderCountMax = UInt32(countMax)
                })
        case .cancel(let order): .cancel(.with { $0.order = order.data })
        case .workers: .workers(WorkersRequest())
        case .stations: .stations(StationsRequest())
        case .ping: .ping(Ping())
        }
    }

    /// Whether `body` is what this asked for.
    func isAnswered(by body: OrdersMessage.OneOf_Body) -> Bool {
        switch (self, body) {
        case (.submit, .receipt), (.watch, .outcomes), (.tray, .tray), (.list, .list), (.cancel, .tray),
            (.workers, .workers), (.stations, .stations), (.ping, .pong):
            true
        default:
            false
        }
    }
}

/// An order that is to be submitted.
public struct Submission: Equatable, Sendable {
    public var order: OrderID
    public var spec: OrderSpec
    public var items: [Item]
    /// 8 to 64 bytes that differ where the content differs.
    public var fingerprint: [UInt8]

    public init(order: OrderID, spec: OrderSpec, items: [Item], fingerprint: [UInt8]) {
        self.order = order
        self.spec = spec
        self.items = items
        self.fingerprint = fingerprint
    }

    /// The message that opens the order, with as many of its items as one message takes.
    func opening(pageItemCountMax: Int) -> Submit {
        .with {
            $0.order = order.data
            $0.spec = spec
            $0.itemCount = UInt32(items.count)
            $0.fingerprint = .init(fingerprint)
            $0.items = Array(items[pageRange(from: 0, itemCountMax: pageItemCountMax)])
        }
    }

    /// The items of the page that begins at `first`: at most 1 MiB of payload, but never none.
    func pageRange(from first: Int, itemCountMax: Int) -> Range<Int> {
        let last = min(first + itemCountMax, items.count)
        var (next, byteCount) = (first, 0)
        while next < last {
            byteCount += items[next].payload.data.count
            guard byteCount <= Limits.batchBytesAim || next == first else { break }
            next += 1
        }
        return first..<next
    }
}

/// Counts the requests of one client, from 1.
struct RequestNumbers: Equatable {
    private var last: UInt64 = 0

    mutating func next() -> UInt64 {
        last += 1
        return last
    }
}
