import AssemblerCore
import DequeModule
import OrderedCollections
import Wire

/// The assembler's process: the shell around its core, as thin as it can be. `RunningAssembler`, `Door` and
/// `StoreAnswers` are the real one; what is repeated here stands in docs/simulator.md.
struct AssemblerProcess {
    /// What has arrived at a door, and who is behind which connection.
    struct Inbox {
        var arrivals: Deque<(connection: Int, frames: [[UInt8]])> = []
        var closed: [Int] = []
        /// Only ever looked up.
        var admitted: [Int: ConnectionID] = [:]
    }

    /// Where the process ends in the round that has something to commit.
    enum CrashPoint {
        case beforeCommit
        case duringCommit(isDurable: Bool)
        case commitFails
        case afterCommit
        case afterActions(share: Int)
    }

    var core: AssemblerMachine?
    var process = 0
    var store = StoreModel()
    var kitchen = Inbox()
    var orders = Inbox()
    /// Only ever looked up.
    var routes: [ConnectionID: Int] = [:]
    var lastConnection: UInt64 = 0
    var unreachable: [ConnectionID] = []
    var deferredChanges: [Change] = []
    var deferredUntil: Instant?
    var busyUntil = Instant(nanoseconds: 0)
    var nextRound: Instant?
    var nextLook = Instant(nanoseconds: 0)
    var isShort = false
    var crashPoint: CrashPoint?

    static let deferredFor = Duration.milliseconds(200)

    /// What a round takes from a door.
    struct Batch {
        var arrivals: [(ConnectionID, [[UInt8]])] = []
        var closed: [ConnectionID] = []
        /// Nothing that had arrived is left.
        var isDrained = true
    }

    mutating func receive(at door: Connection.Door, countMax: Int) -> Batch {
        var inbox = Inbox()
        swap(&inbox, at: door)
        defer { swap(&inbox, at: door) }
        var batch = Batch()
        while let (connection, frames) = inbox.arrivals.first {
            guard batch.arrivals.count < countMax else {
                batch.isDrained = false
                break
            }
            inbox.arrivals.removeFirst()
            batch.arrivals.append((admit(connection, at: &inbox), frames))
        }
        // What nobody was known by is not missed.
        batch.closed = inbox.closed.compactMap { inbox.admitted[$0] }
        inbox.closed = []
        return batch
    }

    private mutating func swap(_ inbox: inout Inbox, at door: Connection.Door) {
        switch door {
        case .kitchen: Swift.swap(&inbox, &kitchen)
        case .orders: Swift.swap(&inbox, &orders)
        }
    }

    private mutating func admit(_ connection: Int, at inbox: inout Inbox) -> ConnectionID {
        if let known = inbox.admitted[connection] { return known }
        lastConnection += 1
        let id = ConnectionID(lastConnection)
        inbox.admitted[connection] = id
        routes[id] = connection
        return id
    }

    var isRunning: Bool { core != nil }
    var isListening: Bool { isRunning }
}

/// The room of the store's disk.
enum Room { case plenty, short, none }

extension World {
    func startAssembler() {
        guard !assembler.isRunning else { return }
        guard room != .none else { return schedule.set(.start(.assembler), at: later(.seconds(1))) }
        do throws(StoreModel.Damage) {
            let (incarnation, restored) = try assembler.store.begin()
            trace.line(
                .assembler, "starts, incarnation \(incarnation), \(restored.count) orders are not over")
            auditor.assemblerStarted(incarnation: incarnation, restored, now: now)
            let store = assembler.store
            let process = assembler.process + 1
            assembler = AssemblerProcess()
            assembler.store = store
            assembler.process = process
            assembler.core = AssemblerMachine(
                configuration: plan.configuration, incarnation: incarnation, restoring: restored, now: now)
            lastProgress = now.instant
            wake(.assembler, at: now.instant)
        } catch {
            auditor.blame("the store cannot be read: \(error.description)")
        }
    }

    /// The process ends; its supervisor starts another.
    func killAssembler(_ why: String) {
        guard assembler.isRunning else { return }
        trace.line(.assembler, "ends: \(why)")
        assembler.core = nil
        assembler.nextRound = nil
        frozen.remove(.assembler)
        held[.assembler] = nil
        auditor.assemblerEnded()
        // A machine that lost its power tells nobody.
        let isTold = !(isFaulty && faultDice.chance(20))
        for index in connections.indices where connections[index].isOpenForAssembler {
            end(index, by: .assembler, isTold: isTold)
        }
        let pause = isFaulty ? faultDice.milliseconds(20...4_000) : .milliseconds(200)
        schedule.set(.start(.assembler), at: later(pause))
    }

    // MARK: What arrives

    func arriveAtAssembler(_ frames: [[UInt8]], on connection: Int) {
        connections[connection].toAssembler.waitingCount -= 1
        guard assembler.isRunning, connections[connection].assemblerProcess == assembler.process,
            connections[connection].isOpenForAssembler,
            connections[connection].toAssembler.lostAfter.map({ now.instant <= $0 }) ?? true
        else { return }
        trace.add(UInt64(connection))
        trace.add(frames)
        switch connections[connection].door {
        case .kitchen: assembler.kitchen.arrivals.append((connection, frames))
        case .orders: assembler.orders.arrivals.append((connection, frames))
        }
        wake(.assembler, at: now.instant)
    }

    func assemblerHearsEnd(of connection: Int) {
        guard assembler.isRunning, connections[connection].assemblerProcess == assembler.process,
            connections[connection].isOpenForAssembler
        else { return }
        connections[connection].isOpenForAssembler = false
        switch connections[connection].door {
        case .kitchen:
            guard !plan.has(.deafMonitor) else { return }
            assembler.kitchen.closed.append(connection)
        case .orders: assembler.orders.closed.append(connection)
        }
        wake(.assembler, at: now.instant)
    }

    // MARK: The round

    func assemblerRound() {
        let fromKitchen = assembler.receive(at: .kitchen, countMax: plan.roundMessageCountMax)
        let fromOrders = assembler.receive(at: .orders, countMax: plan.roundMessageCountMax)
        var step = Step()
        if let isShort = look() { handle(.storeIsShort(isShort), &step) }
        for connection in assembler.unreachable { handle(.unreachable(connection), &step) }
        assembler.unreachable = []
        for (connection, frames) in fromKitchen.arrivals {
            handle(decodeFromKitchen(frames, connection), &step)
        }
        for (connection, frames) in fromOrders.arrivals {
            handle(decodeFromOrders(frames, connection), &step)
        }
        for connection in fromKitchen.closed + fromOrders.closed { handle(.disconnected(connection), &step) }
        guard let last = assembler.core?.tick(now: now, drained: fromKitchen.isDrained) else { return }
        auditor.ticked(last, now: now)
        step.append(last)
        guard commitThenAct(step) else { return }
        auditor.roundEnded(now: now)
        if auditor.isTimeForEverything, let core = assembler.core { auditor.checkEverything(core, now: now) }
        let isDrained = fromKitchen.isDrained && fromOrders.isDrained && assembler.unreachable.isEmpty
        let times = [assembler.core?.nextDeadline, assembler.deferredUntil, assembler.nextLook]
        wake(.assembler, at: isDrained ? times.compactMap { $0 }.min() ?? now.instant : now.instant)
    }

    private func handle(_ input: Input, _ step: inout Step) {
        guard let answer = assembler.core?.handle(input, now: now) else { return }
        auditor.handled(input, answer)
        step.append(answer)
    }

    private func look() -> Bool? {
        guard now.instant >= assembler.nextLook else { return nil }
        assembler.nextLook = later(.seconds(1))
        guard (room != .plenty) != assembler.isShort else { return nil }
        assembler.isShort.toggle()
        return assembler.isShort
    }

    /// Changes before actions. A crash point ends the process on the way.
    /// - Returns: whether the process goes on.
    private func commitThenAct(_ step: Step) -> Bool {
        var actions = step.actions
        let changes = assembler.deferredChanges + step.changes
        var actedAt = now.instant
        let isDue = assembler.deferredUntil.map { $0 <= now.instant } ?? false
        if !step.changes.isEmpty || isDue {
            switch assembler.crashPoint {
            case .beforeCommit, .duringCommit(isDurable: false):
                return crash("killed before its commit was durable")
            case .commitFails: return crash("its commit failed")
            case .duringCommit(isDurable: true):
                commit(changes)
                return crash("killed in its commit, which was durable")
            case .afterCommit:
                commit(changes)
                return crash("killed between commit and actions")
            case .afterActions, nil: break
            }
            guard room != .none else { return crash("its disk is full") }
            commit(changes)
            actedAt = later(
                networkDice.microseconds(100...Int(max(.microseconds(101), plan.commitMax).microseconds)))
            assembler.busyUntil = actedAt
            let after = committed(at: actedAt)
            actions += after.actions
            assembler.deferredChanges = after.changes
            assembler.deferredUntil =
                after.changes.isEmpty ? nil : actedAt.advanced(by: AssemblerProcess.deferredFor)
        }
        if case .afterActions(let share) = assembler.crashPoint {
            perform(Array(actions.prefix(actions.count * share / 100)), at: actedAt)
            return crash("killed between its actions")
        }
        perform(actions, at: actedAt)
        return true
    }

    private func commit(_ changes: [Change]) {
        do throws(StoreModel.Damage) {
            try assembler.store.commit(changes)
            auditor.committed(changes, now: now)
            if !changes.isEmpty { lastProgress = now.instant }
            for change in changes { trace.line(.assembler, "commits \(change.text)") }
        } catch {
            auditor.blame("the store refuses a change: \(error.description)")
        }
    }

    private func committed(at instant: Instant) -> Step {
        let moment = Moment(instant: instant, wall: now.wall)
        let step = assembler.core?.handle(.committed, now: moment) ?? Step()
        auditor.handled(.committed, step)
        return step
    }

    private func crash(_ why: String) -> Bool {
        assembler.crashPoint = nil
        killAssembler(why)
        return false
    }

    private func decodeFromKitchen(_ frames: [[UInt8]], _ connection: ConnectionID) -> Input {
        do throws(WireError) {
            let message = try Frames.decode(frames, as: WorkerMessage.self)
            traceArrival(connection) { message.text }
            return .worker(connection, message)
        } catch {
            return .malformed(connection, .kitchen, error)
        }
    }

    private func decodeFromOrders(_ frames: [[UInt8]], _ connection: ConnectionID) -> Input {
        do throws(WireError) {
            let message = try Frames.decode(frames, as: ProducerMessage.self)
            traceArrival(connection) { message.text }
            var known: KnownOrder?
            if case .submit(let submit) = message.body {
                known = assembler.store.known(order: OrderID(submit.order), key: submit.spec.key)
            }
            return .producer(connection, message, known: known)
        } catch {
            return .malformed(connection, .orders, error)
        }
    }

    private func traceArrival(_ connection: ConnectionID, _ text: () -> String) {
        guard trace.isRead, let route = assembler.routes[connection] else { return }
        trace.line(connections[route].client, "→ assembler  \(text())")
    }
}
