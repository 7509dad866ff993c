import AssemblerCore
import Wire

/// How many inputs a second the assembler's core takes: alone, and with the codec and the auditor around it.
public enum Bench {
    /// What one run came to.
    public struct Measured: Sendable {
        public let inputs: Int
        public let elapsed: Duration

        public init(inputs: Int, elapsed: Duration) { (self.inputs, self.elapsed) = (inputs, elapsed) }

        public var perSecond: Int { Int(Double(inputs) / (elapsed / .seconds(1))) }
    }

    /// The core alone: workers bring their results one by one, each a message of its own; each round takes a thousand.
    /// One core takes all the runs, and one before them that does not count: it is measured as it is once it has grown.
    public static func core(runCount: Int) -> [Measured] {
        var bench = CoreBench()
        _ = bench.run(itemCount: 100_000)
        return (0..<runCount).map { _ in bench.run(itemCount: 100_000) }
    }

    /// Everything, in one thread. The shop is large and calm: no faults, so that work is all that is measured.
    public static func world() -> Measured {
        var plan = Plan(seed: 1)
        plan.faults = []
        (plan.workerCount, plan.producerCount, plan.orderCount, plan.itemCountMax) = (6, 4, 10, 1_500)
        plan.makeBusy()
        var world = World(plan: plan)
        let clock = ContinuousClock()
        let start = clock.now
        let verdict = world.run()
        precondition(verdict == .allWell, "the bench is not well: \(verdict.text)")
        return Measured(inputs: world.figures.inputs, elapsed: clock.now - start)
    }
}

/// A core, some workers and one large order after the other.
private struct CoreBench {
    private var core: AssemblerMachine
    private var now = Moment(
        instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 1_700_000_000_000))
    private var inputs = 0
    /// In the core alone: what makes the inputs is not counted.
    private var elapsed = Duration.zero
    private var orderCount: UInt64 = 0
    private var sessions: [ConnectionID: UInt64] = [:]
    private var grants: [(ConnectionID, Grant)] = []
    private let producer = ConnectionID(1)
    private let done = Nature.result(ItemRef(order: OrderID(high: 1, low: 1), index: 1))

    init() {
        core = AssemblerMachine(configuration: CoreConfiguration(), incarnation: 1, now: now)
        _ = round([asks(.hello(ProducerHello.with { $0.versions = Frames.versions }), request: 1)])
        for worker in 0..<CoreBench.workerCount { hello(ConnectionID(10 + worker)) }
    }

    private static let workerCount: UInt64 = 16
    private static let orderItemCount = 256

    /// Until so many items are settled. The rest of the last order is left for the run after.
    mutating func run(itemCount: Int) -> Bench.Measured {
        (inputs, elapsed) = (0, .zero)
        var (submitted, settled) = (0, 0)
        while settled < itemCount {
            if submitted - settled < 2_000, submitted < itemCount {
                orderCount += 1
                grants += round([submit(number: orderCount)])
                submitted += CoreBench.orderItemCount
            }
            let batch = grants.prefix(1_000)
            grants.removeFirst(batch.count)
            settled += batch.count
            grants += round(batch.map { result($0.0, $0.1) })
        }
        return Bench.Measured(inputs: inputs, elapsed: elapsed)
    }

    private mutating func round(_ batch: [Input]) -> [(ConnectionID, Grant)] {
        inputs += batch.count
        // Handed over one by one, as the shell hands over what it has decoded.
        var batch = Array(batch.reversed())
        let clock = ContinuousClock()
        let start = clock.now
        var step = Step()
        while let input = batch.popLast() { step.append(core.handle(consume input, now: now)) }
        now.instant = now.instant.advanced(by: .milliseconds(1))
        step.append(core.tick(now: now))
        if !step.changes.isEmpty {
            step.append(core.handle(.committed, now: now))
            inputs += 1
        }
        elapsed += clock.now - start
        var granted: [(ConnectionID, Grant)] = []
        for action in step.actions {
            switch action {
            case .lease(let connection, let grant): granted.append((connection, grant))
            case .tellWorker(let connection, .welcome(let welcome)): sessions[connection] = welcome.session
            default: break
            }
        }
        return granted
    }

    private mutating func hello(_ connection: ConnectionID) {
        let hello = WorkerHello.with {
            $0.versions = Frames.versions
            $0.name = "worker-\(connection.number)"
            $0.instance = .init(repeating: UInt8(connection.number), count: 16)
            $0.stations = [
                StationCapacity.with {
                    $0.station = "grill"
                    $0.capacity = 128
                }
            ]
        }
        _ = round([.worker(connection, WorkerMessage.with { $0.hello = hello })])
    }

    private func asks(_ body: ProducerMessage.OneOf_Body, request: UInt64) -> Input {
        .producer(
            producer,
            ProducerMessage.with {
                $0.request = request
                $0.body = body
            }, known: nil)
    }

    private func submit(number: UInt64) -> Input {
        let submit = Submit.with {
            $0.order = OrderID(high: 7, low: number).data
            $0.itemCount = UInt32(CoreBench.orderItemCount)
            $0.fingerprint = .init(repeating: 1, count: 16)
            $0.items = Array(repeating: Item.with { $0.station = "grill" }, count: CoreBench.orderItemCount)
        }
        return asks(.submit(submit), request: number + 1)
    }

    private func result(_ connection: ConnectionID, _ grant: Grant) -> Input {
        .worker(
            connection,
            WorkerMessage.with {
                $0.session = sessions[connection] ?? 0
                $0.results.results = [
                    ItemResult.with {
                        $0.lease = grant.lease
                        $0.order = grant.order.data
                        $0.index = UInt32(grant.index)
                        $0.done = done
                    }
                ]
            })
    }
}
