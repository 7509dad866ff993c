import Foundation
import Wire
import ZeroMQ

/// An assembler's `orders` endpoint, played on a real socket by the test: it welcomes, answers pings, and
/// does with everything else what the test says.
///
/// Outlives its own restarts, as an assembler's store does.
actor Counter {
    enum Reply: Sendable {
        case answer(OrdersMessage.OneOf_Body)
        case frames([[UInt8]])
        case silence
        /// The process dies before it answers, and comes back on the same endpoint.
        case restart

        static func taken(_ order: Data, _ nextIndex: UInt32) -> Reply {
            .answer(
                .pageTaken(
                    .with {
                        $0.order = order
                        $0.nextIndex = nextIndex
                    }))
        }
    }

    private nonisolated let thread = PollingThread(name: "counter")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let context: Context
    private var socket: Socket?
    private let reply: @Sendable (ProducerMessage, _ earlierCount: Int) -> Reply
    private var replyCount = 0
    private(set) var endpoint = "tcp://127.0.0.1:*"
    /// All that came, hellos and pings included.
    private(set) var received: [ProducerMessage] = []

    /// - Parameter reply: What to do with a message, and how many others came before it; pings and hellos
    ///   aside.
    init(_ reply: @escaping @Sendable (ProducerMessage, _ earlierCount: Int) -> Reply) async throws {
        context = try Context()
        self.reply = reply
        try open()
    }

    func count(where isCounted: @Sendable (ProducerMessage) -> Bool) -> Int {
        received.filter(isCounted).count
    }

    private func open() throws {
        let fresh = try Socket(context, .router)
        // A test may ask more at once than an assembler would let lie.
        try fresh.set(.sendHighWaterMark, 0)
        try bind(fresh)
        endpoint = try fresh.boundEndpoint
        thread.watch(fresh)
        socket = consume fresh
        thread.onRound { [weak self] in self?.assumeIsolated { $0.round() } }
    }

    /// The port of a socket that was closed just now takes a moment to be free.
    private func bind(_ fresh: borrowing Socket) throws {
        let giveUpAt = ContinuousClock.now.advanced(by: .seconds(5))
        while true {
            do {
                return try fresh.bind(endpoint)
            } catch  where ContinuousClock.now < giveUpAt {
                continue
            }
        }
    }

    private func round() -> ContinuousClock.Instant? {
        while let frames = (try? socket?.receive())?.frames {
            guard let message = try? Frames.decode(Array(frames.dropFirst()), as: ProducerMessage.self) else {
                continue
            }
            take(message, from: frames[0])
        }
        return nil
    }

    private func take(_ message: ProducerMessage, from peer: [UInt8]) {
        received.append(message)
        switch courtesy(to: message) ?? nextReply(to: message) {
        case .silence: break
        case .frames(let frames): _ = socket?.send([peer] + frames)
        case .restart:
            socket = nil
            do { try open() } catch { preconditionFailure("the counter does not open again: \(error)") }
        case .answer(let body):
            let answer = OrdersMessage.with {
                $0.request = message.request
                $0.body = body
            }
            _ = socket?.send([peer] + Frames.encode(answer))
        }
    }

    /// What every assembler says.
    private func courtesy(to message: ProducerMessage) -> Reply? {
        switch message.body {
        case .hello: .answer(.welcome(.with { $0.version = 1 }))
        case .ping: .answer(.pong(.with { $0.program = "counter" }))
        default: nil
        }
    }

    private func nextReply(to message: ProducerMessage) -> Reply {
        defer { replyCount += 1 }
        return reply(message, replyCount)
    }
}

extension OrdersMessage.OneOf_Body {
    static func receipt(for submit: Submit, known: Bool = false) -> Self {
        .receipt(
            .with {
                $0.order = submit.order
                $0.known = known
            })
    }

    static func refusal(_ reason: Refusal.Reason, retryAfterMs: UInt64 = 0) -> Self {
        .refusal(
            .with {
                $0.reason = reason
                $0.message = "so it is"
                $0.retryAfterMs = retryAfterMs
            })
    }
}
