import Testing
import Wire
import ZeroMQ

/// The assembler's side of the kitchen, played by a test on a real socket.
actor Kitchen {
    struct Heard: Sendable {
        /// Who said it: the first frame of the answer.
        let worker: [UInt8]
        let message: WorkerMessage
    }

    private nonisolated let thread = PollingThread(name: "test kitchen")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let socket: Socket
    let endpoint: String
    private var heard: [Heard] = []
    private var answersHeartbeats = true
    private var probes = false
    private var waiting: CheckedContinuation<Void, any Error>?
    private var waitCount = 0

    init() throws {
        socket = try Socket(try Context(), .router)
        try socket.bind("tcp://127.0.0.1:0")
        endpoint = try socket.boundEndpoint
    }

    func open() {
        thread.watch(socket)
        thread.onRound { [weak self] in self?.assumeIsolated { $0.receive() } }
    }

    private func receive() -> ContinuousClock.Instant? {
        // An error would show as a message that never comes.
        while let frames = try? socket.receive()?.frames {
            guard let message = try? Frames.decode(Array(frames.dropFirst()), as: WorkerMessage.self) else {
                Issue.record("a worker sent what is not of the contract: \(frames)")
                continue
            }
            // Heartbeats come whenever they want, and would only disturb the stories.
            if case .heartbeat? = message.body {
                if answersHeartbeats {
                    send(to: frames[0], KitchenMessage.with { $0.heartbeat = Heartbeat() })
                }
                continue
            }
            if case .started? = message.body, probes {
                probes = false
                lease(1_000...1_000, station: "nowhere", payload: Content(), to: frames[0])
            }
            heard.append(Heard(worker: frames[0], message: message))
        }
        if !heard.isEmpty {
            waiting?.resume()
            waiting = nil
        }
        return nil
    }

    struct NothingCame: Error, CustomStringConvertible {
        let limit: Duration

        var description: String { "no message of a worker came within \(limit)" }
    }

    func setAnswersHeartbeats(_ answers: Bool) { answersHeartbeats = answers }

    /// When handlers have started next, leases something that needs no handler.
    func probeOnceStarted() { probes = true }

    /// The next message that is no heartbeat.
    func next(within limit: Duration = .seconds(20)) async throws -> Heard {
        if heard.isEmpty {
            waitCount += 1
            let alarm = Task { [waitCount] in
                // Cancelled once something has come: then there is nothing to give up.
                guard (try? await Task.sleep(for: limit)) != nil else { return }
                giveUp(waitCount, after: limit)
            }
            defer { alarm.cancel() }
            try await withCheckedThrowingContinuation { waiting = $0 }
        }
        return heard.removeFirst()
    }

    private func giveUp(_ number: Int, after limit: Duration) {
        guard number == waitCount else { return }
        waiting?.resume(throwing: NothingCame(limit: limit))
        waiting = nil
    }

    /// Hears a hello, and answers it.
    func welcome(session: UInt64 = 1, heartbeatLimit: UInt32 = 4) async throws -> Heard {
        let hello = try await next()
        send(
            to: hello.worker,
            KitchenMessage.with {
                $0.welcome.version = 1
                $0.welcome.session = session
                $0.welcome.incarnation = 1
                $0.welcome.name = hello.message.hello.name
                $0.welcome.heartbeatIntervalMs = 50
                $0.welcome.heartbeatLimit = heartbeatLimit
                $0.welcome.contentBytesMax = UInt64(Limits.contentBytesMax)
                $0.welcome.messageBytesMax = UInt64(Limits.messageBytesMax)
            })
        return hello
    }

    func send(to worker: [UInt8], _ message: KitchenMessage) {
        guard case .sent = socket.send([worker] + Frames.encode(message)) else {
            Issue.record("not sent: \(message)")
            return
        }
    }

    func lease(_ numbers: ClosedRange<UInt64>, station: String, payload: Content, to worker: [UInt8]) {
        send(
            to: worker,
            KitchenMessage.with {
                $0.leases.leases = numbers.map { number in
                    Lease.with {
                        $0.lease = LeaseID(incarnation: 1, number: number)
                        $0.order = OrderID(high: 1, low: 2).data
                        $0.index = UInt32(number)
                        $0.station = station
                        $0.attempt = 1
                        $0.timeoutMs = 60_000
                        $0.payload = payload
                    }
                }
            })
    }

    func acknowledge(_ results: [ItemResult], to worker: [UInt8]) {
        send(
            to: worker,
            KitchenMessage.with {
                $0.acks.acks = results.map { result in
                    Ack.with {
                        $0.lease = result.lease
                        $0.fate = .stored
                    }
                }
            })
    }
}
