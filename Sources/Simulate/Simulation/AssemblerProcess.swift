import AssemblerCore
import DequeModule
import OrderedCollections
import Wire

/// The assembler's process: the shell around its core, as thin as it can be. `RunningAssembler`, `Door` and
/// `StoreAnswers` are the real one; what is repeated here stands in docs/simulator.md.
struct AssemblerProcess {
    /// What has arrived at a door.
    struct Inbox {
        var arrivals: Deque<(connection: Int, frames: [[UInt8]])> = []
        var closed: [Int] = []
    }

    /// Where the process ends in the round that has something to commit.
    enum CrashPoint {
        case beforeCommit
        case duringCommit(isDurable: Bool)
        case commitFails
        case afterCommit
        case afterActions(share: Int)
    }

    var running: Running<AssemblerMachine>?
    var process = 0
    var store = StoreModel()
    var kitchen = Inbox()
    var orders = Inbox()
    /// Which connection is meant by each `ConnectionID`, by their numbers; `nil` where it was forgotten.
    private var routes: [Int?] = []
    var unreachable: [ConnectionID] = []
    var deferredChanges: [Change] = []
    var deferredUntil: Instant?
    var busyUntil = Instant(nanoseconds: 0)
    var alarm = Alarm()
    var nextLook = Instant(nanoseconds: 0)
    var isShort = false
    var crashPoint: CrashPoint?

    static let deferredFor = Duration.milliseconds(200)

    /// Gives a connection its name.
    mutating func admit(_ connection: Int) -> ConnectionID {
        routes.append(connection)
        return ConnectionID(UInt64(routes.count))
    }

    func route(of id: ConnectionID) -> Int? {
        let position = Int(id.number) - 1
        return routes.indices.contains(position) ? routes[position] : nil
    }

    /// - Returns: the connection, if it was not forgotten before.
    mutating func forget(_ id: ConnectionID) -> Int? {
        guard let route = route(of: id) else { return nil }
        routes[Int(id.number) - 1] = nil
        return route
    }

    /// Connections of which a monitor told that they are closed: the kitchen's first.
    mutating func takeClosed() -> [Int] {
        defer {
            kitchen.closed = []
            orders.closed = []
        }
        return orders.closed.isEmpty ? kitchen.closed : kitchen.closed + orders.closed
    }

    var isRunning: Bool { running != nil }
    var isListening: Bool { isRunning }
}

/// The room of the store's disk.
enum Room { case plenty, short, none }

extension World {
    mutating func startAssembler() {
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
            assembler.running = Running(
                AssemblerMachine(
                    configuration: plan.configuration, incarnation: incarnation, restoring: restored, now: now
                ))
            lastProgress = now.instant
            wake(.assembler, at: now.instant)
        } catch {
            auditor.blame("the store cannot be read: \(error.description)")
        }
    }

    /// The process ends; its supervisor starts another.
    mutating func killAssembler(_ why: String) {
        guard assembler.isRunning else { return }
        trace.line(.assembler, "ends: \(why)")
        assembler.running = nil
        assembler.alarm = Alarm()
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

    mutating func arriveAtAssembler(_ frames: [[UInt8]], on connection: Int) {
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

    mutating func assemblerHearsEnd(of connection: Int) {
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

    mutating func assemblerRound() {
        guard let running = assembler.running else { return }
        var step = Step()
        if let isShort = look() { handle(.storeIsShort(isShort), &step, running) }
        for connection in assembler.unreachable { handle(.unreachable(connection), &step, running) }
        assembler.unreachable.removeAll(keepingCapacity: true)
        for _ in 0..<min(assembler.kitchen.arrivals.count, plan.roundMessageCountMax) {
            let (connection, frames) = assembler.kitchen.arrivals.removeFirst()
            handle(decodeFromKitchen(frames, known(connection)), &step, running)
        }
        for _ in 0..<min(assembler.orders.arrivals.count, plan.roundMessageCountMax) {
            let (connection, frames) = assembler.orders.arrivals.removeFirst()
            handle(decodeFromOrders(frames, known(connection)), &step, running)
        }
        // What nobody was known by is not missed.
        for connection in assembler.takeClosed() {
            if let known = connections[connection].known { handle(.disconnected(known), &step, running) }
        }
        let isKitchenDrained = assembler.kitchen.arrivals.isEmpty
        let last = running.core.tick(now: now, drained: isKitchenDrained)
        auditor.ticked(last, now: now)
        step.append(last)
        guard commitThenAct(step, running) else { return }
        auditor.roundEnded(now: now)
        if auditor.isTimeForEverything { running.ask { auditor.checkEverything($0, now: now) } }
        let isDrained =
            isKitchenDrained && assembler.orders.arrivals.isEmpty && assembler.unreachable.isEmpty
        wake(.assembler, at: isDrained ? nextAlarm(running) : now.instant)
    }

    private func nextAlarm(_ running: Running<AssemblerMachine>) -> Instant {
        let deadline = running.ask { $0.nextDeadline }
        let next = Instant.earliest(deadline, assembler.deferredUntil)
        return next.map { min($0, assembler.nextLook) } ?? assembler.nextLook
    }

    private mutating func known(_ connection: Int) -> ConnectionID {
        if let known = connections[connection].known { return known }
        let id = assembler.admit(connection)
        connections[connection].known = id
        return id
    }

    private mutating func handle(_ input: Input, _ step: inout Step, _ running: Running<AssemblerMachine>) {
        let answer = running.core.handle(input, now: now)
        auditor.handled(input, answer)
        step.append(answer)
    }

    private mutating func look() -> Bool? {
        guard now.instant >= assembler.nextLook else { return nil }
        assembler.nextLook = later(.seconds(1))
        guard (room != .plenty) != assembler.isShort else { return nil }
        assembler.isShort.toggle()
        return assembler.isShort
    }

    /// Changes before actions. A crash point ends the process on the way.
    /// - Returns: whether the process goes on.
    private mutating func commitThenAct(_ step: consuming Step, _ running: Running<AssemblerMachine>) -> Bool
    {
        var actedAt = now.instant
        let isDue = assembler.deferredUntil.map { $0 <= now.instant } ?? false
        if !step.changes.isEmpty || isDue {
            let changes =
                assembler.deferredChanges.isEmpty ? step.changes : assembler.deferredChanges + step.changes
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
            let after = committed(at: actedAt, running)
            step.actions += after.actions
            assembler.deferredChanges = after.changes
            assembler.deferredUntil =
                after.changes.isEmpty ? nil : actedAt.advanced(by: AssemblerProcess.deferredFor)
        }
        if case .afterActions(let share) = assembler.crashPoint {
            perform(Array(step.actions.prefix(step.actions.count * share / 100)), at: actedAt)
            return crash("killed between its actions")
        }
        perform(step.actions, at: actedAt)
        return true
    }

    private mutating func commit(_ changes: [Change]) {
        do throws(StoreModel.Damage) {
            try assembler.store.commit(changes)
            auditor.committed(changes, now: now)
            if changes.contains(where: \.isProgress) { lastProgress = now.instant }
            if trace.isRead {
                for change in changes { trace.line(.assembler, "commits \(change.text)") }
            }
        } catch {
            auditor.blame("the store refuses a change: \(error.description)")
        }
    }

    private mutating func committed(at instant: Instant, _ running: Running<AssemblerMachine>) -> Step {
        let step = running.core.handle(.committed, now: Moment(instant: instant, wall: now.wall))
        auditor.handled(.committed, step)
        return step
    }

    private mutating func crash(_ why: String) -> Bool {
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
        guard trace.isRead, let route = assembler.route(of: connection) else { return }
        trace.line(connections[route].client, "→ assembler  \(text())")
    }
}

extension Change {
    /// Whoever asks again and again for the same half order brings nothing forward.
    fileprivate var isProgress: Bool {
        if case .reopened = self { false } else { true }
    }
}
