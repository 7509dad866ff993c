import Wire

@testable import ProducerCore

/// A client, its clock, and what the tests say to it.
struct Conversation {
    var client = Client(program: "producer/test")
    private(set) var now = Moment(instant: Instant(nanoseconds: 0), wall: WallTime(milliseconds: 0))

    mutating func handle(_ input: Client.Input) -> [Client.Action] { client.handle(input, now: now).actions }

    /// Lets the time pass, and ticks once.
    mutating func pass(_ duration: Duration) -> [Client.Action] {
        now.instant = now.instant.advanced(by: duration)
        return client.tick(now: now).actions
    }

    mutating func start(_ id: UInt64, _ request: Request, timeout: Duration? = .seconds(10)) -> [Client
        .Action]
    {
        handle(.start(CallID(id), request, timeout: timeout))
    }

    mutating func answer(_ request: UInt64, _ body: OrdersMessage.OneOf_Body?) -> [Client.Action] {
        handle(
            .received(
                .with {
                    $0.request = request
                    $0.body = body
                }))
    }

    /// Opens the link and answers the hello.
    /// - Returns: What follows the welcome.
    @discardableResult
    mutating func connect(pageItemCountMax: UInt32 = 256) -> [Client.Action] {
        let hello = handle(.linkOpened)
        guard let request = hello.sent.last?.request else { return hello }
        let actions = answer(
            request,
            .welcome(
                .with {
                    $0.version = 1
                    $0.incarnation = 3
                    $0.pageItemCountMax = pageItemCountMax
                    $0.program = "assembler/test"
                }))
        return actions.filter { $0 != .note(.welcomed(program: "assembler/test", incarnation: 3)) }
    }
}

extension [Client.Action] {
    var sent: [ProducerMessage] {
        compactMap { action in
            guard case .send(let message) = action else { return nil }
            return message
        }
    }

    var pages: [Page] { sent.map(\.page) }

    var submits: [Submit] { sent.map(\.submit) }
}

extension Refusal {
    static func of(_ reason: Reason, _ message: String = "so it is", retryAfterMs: UInt64 = 0) -> Refusal {
        .with {
            $0.reason = reason
            $0.message = message
            $0.retryAfterMs = retryAfterMs
        }
    }
}

extension Submission {
    static let order = OrderID(high: 7, low: 9)

    /// An order of `count` items with `byteCount` bytes of payload each.
    static func of(_ count: Int, byteCount: Int = 1) -> Submission {
        let payload = Content.with { $0.data = .init(repeating: 0, count: byteCount) }
        let items = (0..<count).map { index in
            Item.with {
                $0.name = "\(index)"
                $0.station = "echo"
                $0.payload = payload
            }
        }
        return Submission(
            order: order, spec: OrderSpec(), items: items, fingerprint: Array(repeating: 5, count: 32))
    }
}

func receipt(_ order: OrderID = Submission.order, known: Bool = false) -> OrdersMessage.OneOf_Body {
    .receipt(
        .with {
            $0.order = order.data
            $0.known = known
        })
}

func taken(_ nextIndex: UInt32, of order: OrderID = Submission.order) -> OrdersMessage.OneOf_Body {
    .pageTaken(
        .with {
            $0.order = order.data
            $0.nextIndex = nextIndex
        })
}
