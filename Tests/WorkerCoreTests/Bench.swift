import Wire

@testable import WorkerCore

/// A core on a workbench, with a clock that moves when told to.
struct Bench {
    private(set) var core: WorkerMachine
    private(set) var now = Moment(instant: Instant(nanoseconds: 0), wall: WallTime(milliseconds: 0))

    static let instance = [UInt8](1...16)
    static let stations = [
        ServedStation(name: "grill", capacity: 4),
        ServedStation(name: "fryer", capacity: 2, timeout: .seconds(5)),
    ]

    init(drainTimeout: Duration = .seconds(10)) {
        core = WorkerMachine(
            name: "worker-1", instance: Bench.instance, stations: Bench.stations, drainTimeout: drainTimeout,
            program: "worker 1", now: now)
    }

    /// In session 7, its first heartbeat sent.
    static func working(drainTimeout: Duration = .seconds(10)) -> Bench {
        var bench = Bench(drainTimeout: drainTimeout)
        bench.connect()
        return bench
    }

    mutating func connect(session: UInt64 = 7) {
        _ = round(.linkOpened, .received(welcome(session: session)))
    }

    /// One round of the shell: the inputs, then a tick.
    mutating func round(_ inputs: WorkerMachine.Input...) -> [WorkerMachine.Action] {
        inputs.flatMap { core.handle($0, now: now).actions } + core.tick(now: now).actions
    }

    mutating func handle(_ input: WorkerMachine.Input) -> [WorkerMachine.Action] {
        core.handle(input, now: now).actions
    }

    mutating func after(_ duration: Duration) -> [WorkerMachine.Action] {
        pass(duration)
        return core.tick(now: now).actions
    }

    mutating func pass(_ duration: Duration) {
        now.instant = now.instant.advanced(by: duration)
    }

    /// Time passes as it does in a healthy session; what the heartbeats cause is left out.
    mutating func live(_ duration: Duration) -> [WorkerMachine.Action] {
        var actions: [WorkerMachine.Action] = []
        let end = now.instant.advanced(by: duration)
        while now.instant < end {
            pass(min(.milliseconds(500), now.instant.duration(to: end)))
            actions += round(.received(KitchenMessage.with { $0.heartbeat = Heartbeat() }))
        }
        return actions.filter { $0 != .send(heartbeat()) }
    }
}

func lease(_ number: UInt64, station: String = "grill", timeout: Duration = .seconds(600)) -> Lease {
    Lease.with {
        $0.lease = id(number)
        $0.order = order.data
        $0.index = UInt32(number)
        $0.station = station
        $0.attempt = 1
        $0.timeoutMs = UInt64(timeout.milliseconds)
        $0.payload = text("order me")
    }
}

let order = OrderID(high: 1, low: 2)

func id(_ number: UInt64) -> LeaseID { LeaseID(incarnation: 1, number: number) }

func text(_ text: String) -> Content {
    Content.with {
        $0.kind = .text
        $0.data.append(contentsOf: Array(text.utf8))
    }
}

func claim(_ number: UInt64, started: Bool = true) -> Claim {
    Claim.with {
        $0.lease = id(number)
        $0.order = order.data
        $0.index = UInt32(number)
        $0.started = started
    }
}

// MARK: From the assembler

func welcome(session: UInt64 = 7, version: UInt32 = 1, contentBytesMax: UInt64 = 1 << 20) -> KitchenMessage {
    KitchenMessage.with {
        $0.welcome.version = version
        $0.welcome.session = session
        $0.welcome.incarnation = 1
        $0.welcome.name = "worker-1"
        $0.welcome.heartbeatIntervalMs = 500
        $0.welcome.heartbeatLimit = 4
        $0.welcome.contentBytesMax = contentBytesMax
        $0.welcome.messageBytesMax = 4 << 20
    }
}

func leases(_ leases: Lease...) -> WorkerMachine.Input {
    .received(KitchenMessage.with { $0.leases.leases = leases })
}

func ack(_ numbers: UInt64..., fate: Ack.Fate = .stored) -> WorkerMachine.Input {
    .received(
        KitchenMessage.with {
            $0.acks.acks = numbers.map { number in
                Ack.with {
                    $0.lease = id(number)
                    $0.fate = fate
                }
            }
        })
}

func revoke(_ numbers: UInt64...) -> WorkerMachine.Input {
    .received(
        KitchenMessage.with {
            $0.revokes.revokes = numbers.map { number in
                Revoke.with {
                    $0.lease = id(number)
                    $0.reason = .settled
                }
            }
        })
}

func refusal(_ reason: Refusal.Reason, message: String = "no") -> WorkerMachine.Input {
    .received(refusal(reason, message: message, retryAfter: .zero))
}

func refusal(_ reason: Refusal.Reason, message: String = "no", retryAfter: Duration) -> KitchenMessage {
    KitchenMessage.with {
        $0.refusal.reason = reason
        $0.refusal.message = message
        $0.refusal.versions.lowest = 2
        $0.refusal.versions.highest = 3
        $0.refusal.retryAfterMs = UInt64(retryAfter.milliseconds)
    }
}

// MARK: To the assembler

func capacities(grill: UInt32, fryer: UInt32) -> [StationCapacity] {
    [("grill", grill), ("fryer", fryer)].map { station, capacity in
        StationCapacity.with {
            $0.station = station
            $0.capacity = capacity
        }
    }
}

func hello(
    grill: UInt32 = 4, fryer: UInt32 = 2, running: [Claim] = [], held: [Claim] = []
) -> WorkerMessage {
    WorkerMessage.with {
        $0.hello.versions = Frames.versions
        $0.hello.name = "worker-1"
        $0.hello.instance.append(contentsOf: Bench.instance)
        $0.hello.stations = capacities(grill: grill, fryer: fryer)
        $0.hello.running = running
        $0.hello.held = held
        $0.hello.program = "worker 1"
    }
}

func heartbeat(session: UInt64 = 7) -> WorkerMessage {
    WorkerMessage.with {
        $0.session = session
        $0.heartbeat = Heartbeat()
    }
}

func started(_ numbers: UInt64..., session: UInt64 = 7) -> WorkerMessage {
    WorkerMessage.with {
        $0.session = session
        $0.started.leases = numbers.map(id)
    }
}

func credit(grill: UInt32 = 0, fryer: UInt32 = 0, draining: Bool = false, session: UInt64 = 7)
    -> WorkerMessage
{
    WorkerMessage.with {
        $0.session = session
        $0.credit.stations = capacities(grill: grill, fryer: fryer)
        $0.credit.draining = draining
    }
}

func results(_ results: ItemResult..., session: UInt64 = 7) -> WorkerMessage {
    WorkerMessage.with {
        $0.session = session
        $0.results.results = results
    }
}

func result(
    _ number: UInt64, elapsed: Duration = .zero, _ ending: ItemResult.OneOf_Ending
) -> ItemResult {
    ItemResult.with {
        $0.lease = id(number)
        $0.order = order.data
        $0.index = UInt32(number)
        $0.ending = ending
        $0.elapsedUs = UInt64(elapsed.microseconds)
    }
}

func failure(
    _ message: String, kind: FailureKind = .failed, isPermanent: Bool = false
) -> ItemResult.OneOf_Ending {
    .failed(
        HandlerFailure.with {
            $0.error.kind = kind
            $0.error.message = message
            $0.permanent = isPermanent
        })
}

func returned(_ reason: Returned.Reason) -> ItemResult.OneOf_Ending {
    .returned(Returned.with { $0.reason = reason })
}

let farewell = WorkerMessage.with {
    $0.session = 7
    $0.farewell = Farewell()
}
