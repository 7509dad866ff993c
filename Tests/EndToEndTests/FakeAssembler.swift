import Foundation
import Synchronization
import Wire
import ZeroMQ

/// The `orders` endpoint of an assembler that answers what the test says: it welcomes, and no more is its own.
///
/// Safe because its socket is made, used and closed on its own thread.
final class FakeAssembler: @unchecked Sendable {
    private(set) var endpoint = ""
    private let isClosed = Atomic(false)
    private let turn = DispatchSemaphore(value: 0)

    /// - Parameter answer: to anything but a hello; none: silence.
    init(_ answer: @escaping @Sendable (ProducerMessage) -> [OrdersMessage.OneOf_Body]) throws {
        Thread.detachNewThread { [self] in
            do {
                let socket = try Socket(try Context(), .router)
                try socket.bind("tcp://127.0.0.1:*")
                endpoint = try socket.boundEndpoint
                turn.signal()
                while !isClosed.load(ordering: .relaxed) {
                    guard let received = try socket.receive() else {
                        usleep(500)
                        continue
                    }
                    let message = try Frames.decode(
                        Array(received.frames.dropFirst()), as: ProducerMessage.self)
                    for body in FakeAssembler.answers(to: message, answer) {
                        _ = socket.send([received.frames[0]] + Frames.encode(body))
                    }
                }
            } catch {
                preconditionFailure("the fake assembler cannot go on: \(error)")
            }
            turn.signal()
        }
        turn.wait()
    }

    func close() {
        isClosed.store(true, ordering: .relaxed)
        turn.wait()
    }

    private static func answers(
        to message: ProducerMessage, _ answer: (ProducerMessage) -> [OrdersMessage.OneOf_Body]
    ) -> [OrdersMessage] {
        var bodies = answer(message)
        if case .hello = message.body { bodies = [.welcome(.with { $0.version = 1 })] }
        return bodies.map { body in
            .with {
                $0.request = message.request
                $0.body = body
            }
        }
    }
}

/// Whether something was asked.
final class Asked: Sendable {
    private let flag = Atomic(false)

    var hasBeen: Bool { flag.load(ordering: .acquiring) }

    func note() { flag.store(true, ordering: .releasing) }
}
