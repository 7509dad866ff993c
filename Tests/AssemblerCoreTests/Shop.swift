import Foundation
import Testing
import Wire

@testable import AssemblerCore

/// A core, a clock that moves when told, and short words for what producers and workers say.
struct Shop {
    var core: AssemblerMachine
    var now = Moment(
        instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 1_700_000_000_000))
    private var lastConnection: UInt64 = 0
    private var lastRequest: UInt64 = 0
    private var lastOrder: UInt64 = 0
    private var sessions: [ConnectionID: UInt64] = [:]

    init(
        _ configuration: CoreConfiguration = CoreConfiguration(), incarnation: UInt32 = 1,
        restoring: [RestoredOrder] = []
    ) {
        core = AssemblerMachine(
            configuration: configuration, incarnation: incarnation, restoring: restoring, now: now)
    }

    // MARK: Time

    mutating func pass(_ duration: Duration) {
        now.instant = now.instant.advanced(by: duration)
        now.wall.milliseconds += duration.milliseconds
    }

    /// Time passes as it does for a process that listens: a tick at every deadline.
    mutating func live(_ duration: Duration) -> Step {
        let end = now.instant.advanced(by: duration)
        var step = Step()
        while let next = core.nextDeadline, next <= end {
            if next > now.instant { pass(now.instant.duration(to: next)) }
            step.append(core.tick(now: now))
        }
        pass(now.instant.duration(to: end))
        step.append(core.tick(now: now))
        return step
    }

    /// One round with these inputs.
    mutating func round(_ inputs: Input...) -> Step { round(of: inputs) }

    mutating func round(of inputs: [Input]) -> Step {
        var step = Step()
        for input in inputs { step.append(core.handle(input, now: now)) }
        step.append(core.tick(now: now))
        return step
    }

    /// One round, and its commit.
    mutating func committedRound(_ inputs: Input...) -> Step {
        var step = Step()
        for input in inputs { step.append(core.handle(input, now: now)) }
        step.append(core.tick(now: now))
        step.append(core.handle(.committed, now: now))
        return step
    }

    // MARK: Workers

    mutating func connection() -> ConnectionID {
        lastConnection += 1
        return ConnectionID(lastConnection)
    }

    /// A worker says hello.
    mutating func worker(
        _ name: String, _ stations: [String: Int], instance: UInt8? = nil, running: [Claim] = [],
        held: [Claim] = []
    ) -> (connection: ConnectionID, step: Step) {
        let connection = connection()
        let hello = WorkerHello.with {
            $0.versions = Frames.versions
            $0.name = name
            $0.instance = .init(repeating: instance ?? UInt8(lastConnection), count: 16)
            $0.stations = stations.sorted { $0.key < $1.key }.map { name, capacity in
                StationCapacity.with {
                    $0.station = name
                    $0.capacity = UInt32(capacity)
                }
            }
            $0.running = running
            $0.held = held
        }
        let step = round(.worker(connection, WorkerMessage.with { $0.hello = hello }))
        sessions[connection] = step.welcome?.session
        return (connection, step)
    }

    mutating func joined(_ name: String, _ stations: [String: Int], instance: UInt8? = nil) -> ConnectionID {
        worker(name, stations, instance: instance).connection
    }

    func says(_ connection: ConnectionID, _ body: WorkerMessage.OneOf_Body) -> Input {
        .worker(
            connection,
            WorkerMessage.with {
                $0.session = sessions[connection] ?? 0
                $0.body = body
            })
    }

    func done(_ connection: ConnectionID, _ grant: Grant, _ text: String = "ok") -> Input {
        result(connection, grant) {
            $0.done = Content.with {
                $0.kind = .text
                $0.data = .init(text.utf8)
            }
        }
    }

    func failed(
        _ connection: ConnectionID, _ grant: Grant, _ message: String = "broken", permanent: Bool = false
    ) -> Input {
        result(connection, grant) {
            $0.failed.error.kind = .failed
            $0.failed.error.message = message
            $0.failed.permanent = permanent
        }
    }

    func returned(_ connection: ConnectionID, _ grant: Grant, _ reason: Returned.Reason) -> Input {
        result(connection, grant) { $0.returned.reason = reason }
    }

    func started(_ connection: ConnectionID, _ grants: [Grant]) -> Input {
        says(connection, .started(StartReport.with { $0.leases = grants.map(\.lease) }))
    }

    private func result(
        _ connection: ConnectionID, _ grant: Grant, _ ending: (inout ItemResult) -> Void
    ) -> Input {
        var result = ItemResult.with {
            $0.lease = grant.lease
            $0.order = grant.order.data
            $0.index = UInt32(grant.index)
        }
        ending(&result)
        return says(connection, .results(ResultBatch.with { $0.results = [result] }))
    }

    // MARK: Producers

    /// A producer that has said hello.
    mutating func producer() -> ConnectionID {
        let connection = connection()
        _ = round(asks(connection, .hello(ProducerHello.with { $0.versions = Frames.versions })))
        return connection
    }

    mutating func asks(
        _ connection: ConnectionID, _ body: ProducerMessage.OneOf_Body, known: KnownOrder? = nil
    ) -> Input {
        lastRequest += 1
        return .producer(
            connection,
            ProducerMessage.with {
                $0.request = lastRequest
                $0.body = body
            }, known: known)
    }

    mutating func newOrderID() -> OrderID {
        lastOrder += 1
        return OrderID(high: 7, low: lastOrder)
    }

    static func items(_ stations: String...) -> [Item] {
        stations.map { station in Item.with { $0.station = station } }
    }

    static func submit(
        _ order: OrderID, _ items: [Item], count: Int? = nil, fingerprint: UInt8 = 1,
        _ change: (inout OrderSpec) -> Void = { _ in }
    ) -> Submit {
        Submit.with {
            $0.order = order.data
            $0.itemCount = UInt32(count ?? items.count)
            $0.fingerprint = .init(repeating: fingerprint, count: 32)
            $0.items = items
            change(&$0.spec)
        }
    }

    static func page(_ order: Data, from firstIndex: UInt32, _ items: [Item]) -> Page {
        .with {
            $0.order = order
            $0.firstIndex = firstIndex
            $0.items = items
        }
    }

    /// Submits on a connection of its own, in a round that is committed.
    mutating func order(
        _ items: [Item], _ change: (inout OrderSpec) -> Void = { _ in }
    ) -> (id: OrderID, step: Step) {
        let connection = producer()
        let order = newOrderID()
        let submit = Shop.submit(order, items, change)
        return (order, committedRound(asks(connection, .submit(submit))))
    }
}

extension Step {
    var grants: [Grant] {
        actions.compactMap { if case .lease(_, let grant) = $0 { grant } else { nil } }
    }

    func grants(to connection: ConnectionID) -> [Grant] {
        actions.compactMap {
            if case .lease(connection, let grant) = $0 { grant } else { nil }
        }
    }

    var welcome: WorkerWelcome? {
        for case .tellWorker(_, .welcome(let welcome)) in actions { return welcome }
        return nil
    }

    var acks: [Ack] {
        actions.flatMap { action -> [Ack] in
            if case .tellWorker(_, .acks(let batch)) = action { batch.acks } else { [] }
        }
    }

    func revokes(to connection: ConnectionID) -> [Revoke] {
        actions.flatMap { action -> [Revoke] in
            if case .tellWorker(connection, .revokes(let batch)) = action { batch.revokes } else { [] }
        }
    }

    var refusals: [Refusal] {
        actions.compactMap {
            switch $0 {
            case .tellWorker(_, .refusal(let refusal)), .answer(_, _, .refusal(let refusal)): refusal
            default: nil
            }
        }
    }

    var receipts: [Receipt] {
        actions.compactMap { if case .answer(_, _, .receipt(let receipt)) = $0 { receipt } else { nil } }
    }

    var taken: [PageTaken] {
        actions.compactMap {
            if case .answer(_, _, .pageTaken(let taken)) = $0 { taken } else { nil }
        }
    }

    /// Where each half order goes on.
    var pagesTaken: [Int] { taken.map { Int($0.nextIndex) } }

    var outcomes: [Outcome] {
        changes.flatMap { change -> [Outcome] in
            if case .settled(_, let outcomes) = change { outcomes } else { [] }
        }
    }

    var served: [OrderStatus] { servedRecords.map(\.status) }

    var servedRecords: [ServedRecord] {
        changes.compactMap { if case .served(_, let record) = $0 { record } else { nil } }
    }

    var losses: [AttemptRecord] {
        changes.compactMap { if case .attemptLost(_, _, let record) = $0 { record } else { nil } }
    }

    var failures: [AttemptRecord] {
        changes.compactMap { if case .attemptFailed(_, _, let record) = $0 { record } else { nil } }
    }
}
