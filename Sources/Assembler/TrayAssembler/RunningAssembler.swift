import AssemblerCore
import AssemblerStore
import Logging
import OrderedCollections
import Wire
import ZeroMQ

/// An assembler at work: doors, core and store, and the round that joins them.
struct RunningAssembler: ~Copyable {
    private(set) var doors: Doors
    private var core: AssemblerMachine
    private let store: Store
    private let thread: PollingThread
    private var answers: StoreAnswers
    private var housekeeping: Housekeeping
    private var notes: Notes
    private let log: Logger
    /// Corrections that go with the next commit, or alone when there is none for a while.
    private var deferredChanges: [Change] = []
    private var deferredUntil: Instant?
    /// Peers that could not be told something: the next round hears of them.
    private var unreachable: [ConnectionID] = []

    private static let deferredFor = Duration.milliseconds(200)

    init(
        _ beginning: Beginning, store: Store, doors: consuming Doors, options: AssemblerService.Options,
        thread: PollingThread, now: Moment, log: Logger
    ) {
        log.info(
            "assembler started",
            metadata: [
                "orders": "\(doors.orders.address)", "kitchen": "\(doors.kitchen.address)",
                "events": "\(doors.events.address)", "store": "\(options.store)",
                "incarnation": "\(beginning.incarnation)",
                "restored_orders": "\(beginning.orders.count)",
            ])
        self.thread = thread
        self.log = log
        self.store = store
        answers = StoreAnswers(store)
        self.doors = doors
        notes = Notes(log: log)
        core = AssemblerMachine(
            configuration: options.core, incarnation: beginning.incarnation, restoring: beginning.orders,
            now: now)
        housekeeping = Housekeeping(
            store: store, room: Room(of: store.path, reserveBytes: options.diskReserveBytes),
            retention: options.retention, log: log)
    }

    /// One round: take what has arrived, handle each, commit all changes, then act.
    /// - Returns: when the next one is due at the latest.
    mutating func round(_ clock: Clock) throws -> Instant? {
        let (fromKitchen, fromOrders) = try doors.receive()
        let fromEvents = try doors.events.receive()
        let now = clock.moment()
        var step = Step()
        if let isShort = try housekeeping.look(now: now.instant) {
            step.append(core.handle(.storeIsShort(isShort), now: now))
        }
        for connection in unreachable { step.append(core.handle(.unreachable(connection), now: now)) }
        unreachable = []
        for arrival in fromKitchen.arrivals { step.append(takeFromKitchen(arrival, now: now)) }
        for arrival in fromOrders.arrivals { step.append(try takeFromOrders(arrival, now: now)) }
        // What the dead have said last is heard first: results, and what they had begun.
        for connection in fromKitchen.closed + fromOrders.closed {
            step.append(core.handle(.disconnected(connection), now: now))
        }
        let strangers = [
            (DoorName.kitchen, fromKitchen.strangers), (.orders, fromOrders.strangers),
            (.events, fromEvents.strangers),
        ]
        for (door, strangers) in strangers {
            for stranger in strangers {
                notes.write(stranger, at: door, now: now.instant)
                step.append(core.handle(.handshakeFailed(door), now: now))
            }
        }
        for _ in 0..<fromEvents.malformedCount {
            step.append(core.handle(.malformed(nil, .events, .undecodable), now: now))
        }
        notes.tick(now: now.instant)
        step.append(core.tick(now: now, drained: fromKitchen.isDrained))
        try commitThenAct(step, clock: clock)
        try housekeeping.run(now: clock.moment())
        return nextRound(isDrained: fromKitchen.isDrained && fromOrders.isDrained, now: now.instant)
    }

    /// The whole durability story: no action is performed before the changes that it rests on are in the
    /// store, and the store is where the next start will look for it.
    private mutating func commitThenAct(_ step: Step, clock: Clock) throws {
        var actions = step.actions
        let changes = deferredChanges + step.changes
        let isDue = deferredUntil.map { $0 <= clock.moment().instant } ?? false
        if !step.changes.isEmpty || isDue {
            try store.commit(changes)
            try store.checkInPlace()
            let after = core.handle(.committed, now: clock.moment())
            actions += after.actions
            deferredChanges = after.changes
            deferredUntil =
                after.changes.isEmpty
                ? nil : clock.moment().instant.advanced(by: RunningAssembler.deferredFor)
        }
        answers.remember(step.changes)
        try perform(actions, clock: clock)
        publish(step.changes, actions, at: clock.moment().wall)
    }

    /// Tells what is committed, and done, to whoever wants to know; counts it where nobody does.
    private mutating func publish(_ changes: [Change], _ actions: [Action], at wall: WallTime) {
        guard doors.events.hasSubscribers else {
            for change in changes { doors.events.count(Event.topic(of: change)) }
            for action in actions { doors.events.count(Event.topic(of: action)) }
            return
        }
        var events: [Event] = []
        for action in actions {
            guard case .note(.orderAccepted(let order, let itemCount)) = action else { continue }
            // Before what becomes of the order in the same round.
            events.append(Event.accepted(order, itemCount: itemCount))
        }
        events += changes.flatMap(Event.of)
        for action in actions {
            switch action {
            case .lease(let connection, let grant):
                events.append(Event.of(grant, worker: core.workerName(of: connection) ?? ""))
            case .note(let note):
                if let event = Event.of(note) { events.append(event) }
            case .tellWorker, .answer, .answerOutcomes, .answerTray, .answerList, .forget: break
            }
        }
        for event in events { doors.events.publish(event, incarnation: core.incarnation, at: wall) }
    }

    private func nextRound(isDrained: Bool, now: Instant) -> Instant? {
        guard isDrained, unreachable.isEmpty else { return now }
        let times = [core.nextDeadline, deferredUntil, housekeeping.nextDeadline, notes.nextDeadline]
        return times.compactMap { $0 }.min()
    }

    // MARK: In

    private mutating func takeFromKitchen(_ arrival: Door.Arrival, now: Moment) -> Step {
        do {
            let message = try Frames.decode(arrival.frames, as: WorkerMessage.self)
            return core.handle(.worker(arrival.connection, message), now: now)
        } catch {
            return core.handle(.malformed(arrival.connection, .kitchen, error), now: now)
        }
    }

    private mutating func takeFromOrders(_ arrival: Door.Arrival, now: Moment) throws(StoreError) -> Step {
        let message: ProducerMessage
        do {
            message = try Frames.decode(arrival.frames, as: ProducerMessage.self)
        } catch {
            return core.handle(.malformed(arrival.connection, .orders, error), now: now)
        }
        var known: KnownOrder?
        if case .submit(let submit) = message.body {
            known = try store.known(
                order: OrderID(submit.order), key: submit.spec.key.isEmpty ? nil : submit.spec.key)
        }
        return core.handle(.producer(arrival.connection, message, known: known), now: now)
    }

    // MARK: Out

    private mutating func perform(_ actions: [Action], clock: Clock) throws {
        var grants: OrderedDictionary<ConnectionID, [Grant]> = [:]
        var later: [(note: Note, place: DoorPlace?)] = []
        for action in actions {
            switch action {
            case .tellWorker(let connection, let body):
                sendToWorker(connection, KitchenMessage.with { $0.body = body })
            case .lease(let connection, let grant):
                grants[connection, default: []].append(grant)
            case .answer(let connection, let request, let body):
                answer(connection, request, body)
            case .answerOutcomes(let connection, let request, let order, let after, let countMax):
                let body = try answers.outcomes(
                    of: order, after: after, countMax: countMax,
                    summary: core.summary(of: order, now: clock.moment()))
                answer(connection, request, body)
            case .answerTray(let connection, let request, let order, let index, let countMax):
                let body = try answers.tray(
                    of: order, from: index, countMax: countMax,
                    summary: core.summary(of: order, now: clock.moment()),
                    slots: core.slots(
                        of: order, from: index, countMax: min(countMax, Limits.pageItemCountMax)))
                answer(connection, request, body)
            case .answerList(let connection, let request, let list):
                let now = clock.moment()
                answer(connection, request, try answers.list(list) { core.summary(of: $0, now: now) })
            case .forget(let connection):
                doors.forget(connection)
            case .note(let note):
                later.append((note, place(of: note.connection)))
            }
        }
        for (connection, grants) in grants { try sendLeases(grants, to: connection) }
        // Work goes out before the log hears of it.
        let now = clock.moment().instant
        for (note, place) in later { notes.write(note, at: place, now: now) }
    }

    private func place(of connection: ConnectionID?) -> DoorPlace? {
        guard let connection else { return nil }
        return doors.place(of: connection)
    }

    private mutating func sendLeases(_ grants: [Grant], to connection: ConnectionID) throws(StoreError) {
        var batch = LeaseBatch()
        var byteCount = 0
        for grant in grants {
            let lease = try lease(for: grant)
            let size = lease.payload.data.count
            let isFull = byteCount + size > Limits.batchBytesAim || batch.leases.count >= Limits.batchCountMax
            if isFull, !batch.leases.isEmpty {
                sendToWorker(connection, KitchenMessage.with { $0.leases = batch })
                batch = LeaseBatch()
                byteCount = 0
            }
            batch.leases.append(lease)
            byteCount += size
        }
        sendToWorker(connection, KitchenMessage.with { $0.leases = batch })
    }

    private mutating func lease(for grant: Grant) throws(StoreError) -> Lease {
        let item = try answers.page(of: grant.order, containing: grant.index).map {
            $0.items[grant.index - $0.firstIndex]
        }
        guard let item else {
            throw .corrupt(path: store.path, detail: "item \(grant.index) of order \(grant.order) is missing")
        }
        return Lease.with {
            $0.lease = grant.lease
            $0.order = grant.order.data
            $0.index = UInt32(grant.index)
            $0.station = grant.station
            $0.attempt = UInt32(grant.attempt)
            $0.timeoutMs = UInt64(clamping: grant.timeout.milliseconds)
            $0.payload = item.payload
            $0.name = item.name
        }
    }

    private mutating func sendToWorker(_ connection: ConnectionID, _ message: KitchenMessage) {
        note(doors.kitchen.send(Frames.encode(message), to: connection), connection)
    }

    private mutating func answer(
        _ connection: ConnectionID, _ request: UInt64, _ body: OrdersMessage.OneOf_Body
    ) {
        let message = OrdersMessage.with {
            $0.request = request
            $0.body = body
        }
        note(doors.orders.send(Frames.encode(message), to: connection), connection)
    }

    private mutating func note(_ outcome: Socket.SendOutcome, _ connection: ConnectionID) {
        switch outcome {
        case .sent: break
        case .full, .unreachable: unreachable.append(connection)
        case .failed(let error):
            log.warning("a message could not be sent", metadata: ["error": "\(error)"])
            unreachable.append(connection)
        }
    }

    // MARK: The end

    /// Sockets close; after an orderly end the corrections are saved and the store is tidied.
    ///
    /// - Throws: Where the store's files are not where they were: what it held is saved beside.
    consuming func close(isOrderly: Bool) throws(StoreError) {
        doors.close(thread: thread)
        do throws(StoreError) {
            try store.checkInPlace()
            if isOrderly {
                // Without them the times of the last orders are a little short; without room they stay so.
                do throws(StoreError) { try store.commit(deferredChanges) } catch .full {}
                try store.close()
            }
        } catch {
            throw store.rescue(from: error)
        }
        log.info("assembler stopped", metadata: ["orderly": "\(isOrderly)"])
    }
}
