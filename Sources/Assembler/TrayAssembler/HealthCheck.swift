import Glibc
import Wire
import ZeroMQ

/// Asks a running assembler, at the endpoint that it binds for producers, whether it answers: for the health checks
/// of containers and service managers.
///
/// An answer means that the assembler makes its rounds. It does not mean that orders are accepted: one that is full
/// or has no room on its disk says so to producers, and starting it again would not help it.
public enum HealthCheck {
    public enum Problem: Error, CustomStringConvertible {
        case noAnswer(endpoint: String)
        /// Somebody answers, but not as an assembler of our protocol does.
        case stranger(endpoint: String, reason: String)
        case socket(ZeroMQError)

        public var description: String {
            switch self {
            case .noAnswer(let endpoint): "no assembler answers at \(endpoint)"
            case .stranger(let endpoint, let reason):
                "no assembler of this protocol is at \(endpoint): \(reason)"
            case .socket(let error): "\(error)"
            }
        }
    }

    private static let pauseMicroseconds: UInt32 = 5_000

    /// Blocks the thread until the answer is there.
    /// - Parameters:
    ///   - endpoint: as the assembler binds it; see `reachable(_:)`.
    ///   - program: names the asker to the assembler.
    ///   - limit: for connecting and the answer together.
    public static func run(endpoint: String, program: String, within limit: Duration) throws(Problem) -> Pong
    {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        let socket = try ask(endpoint, program: program)
        while clock.now < deadline {
            if let pong = try answer(on: socket, from: endpoint) { return pong }
            usleep(pauseMicroseconds)
        }
        throw .noAnswer(endpoint: endpoint)
    }

    /// Where one that binds `endpoint` can be reached from its own machine: a wildcard address stands for loopback.
    public static func reachable(_ endpoint: String) -> String {
        for (wildcard, loopback) in [("0.0.0.0", "127.0.0.1"), ("*", "127.0.0.1"), ("[::]", "[::1]")] {
            let bound = "tcp://\(wildcard):"
            if endpoint.hasPrefix(bound) { return "tcp://\(loopback):" + endpoint.dropFirst(bound.count) }
        }
        return endpoint
    }

    private static func ask(_ endpoint: String, program: String) throws(Problem) -> Socket {
        let hello = ProducerMessage.with {
            $0.hello.versions = Frames.versions
            $0.hello.program = program
        }
        let ping = ProducerMessage.with {
            $0.request = 1
            $0.ping = Ping()
        }
        do throws(ZeroMQError) {
            let socket = try Socket(try Context(), .dealer)
            try socket.set(.maxMessageBytes, Limits.messageBytesMax)
            try socket.connect(endpoint)
            // A dealer keeps both until its connection is there. One that cannot even do that gets no answer.
            for message in [hello, ping] { _ = socket.send(Frames.encode(message)) }
            return socket
        } catch {
            throw .socket(error)
        }
    }

    /// - Returns: nil while there is none.
    private static func answer(on socket: borrowing Socket, from endpoint: String) throws(Problem) -> Pong? {
        while let frames = try receive(on: socket) {
            let message: OrdersMessage
            do throws(WireError) {
                message = try Frames.decode(frames, as: OrdersMessage.self)
            } catch {
                throw .stranger(endpoint: endpoint, reason: "\(error)")
            }
            switch message.body {
            case .pong(let pong): return pong
            case .refusal(let refusal): throw .stranger(endpoint: endpoint, reason: refusal.message)
            case .welcome, .receipt, .pageTaken, .outcomes, .tray, .list, .workers, .stations, nil: continue
            }
        }
        return nil
    }

    private static func receive(on socket: borrowing Socket) throws(Problem) -> [[UInt8]]? {
        do throws(ZeroMQError) {
            return try socket.receive()?.frames
        } catch {
            throw .socket(error)
        }
    }
}
