import AssemblerCore
import AssemblerStore
import Logging
import OrderedCollections
import Wire
import ZeroMQ

/// An assembler at work: doors, core and store, and the round that joins them.
struct RunningAssembler: ~Copyable {
    private(set) var orders: Door
    private(set) var kitchen: Door
    private var core: AssemblerMachine
    private let store: Store
    private let thread: PollingThread
    private let context: Context
    private var pages = PageCache(bytesMax: 64 << 20)
    private var housekeeping: Housekeeping
    private var notes: Notes
    private let log: Logger
    private var connectionNumber: UInt64 = 0
    /// Corrections that go with the next commit, or alone when there is none for a while.
    private var deferredChanges: [Change] = []
    private var deferredUntil: Instant?
    /// Peers that could not be told something: the next round hears of them.
    private var unreachable: [ConnectionID] = []

    private static let roundMessageCountMax = 2_000
    private static let roundBytesMax = 4 << 20
    private static let deferredFor = Duration.milliseconds(200)

    init(options: AssemblerService.Options, thread: PollingThread, now: Moment, log: Logger) throws {
        let store = try Store.open(path: options.store)
        let (incarnation, restored) = try store.begin(at: now.wall)
        let context = try Context()
        let orders = try Door(.orders, at: options.orders, context: context, thread: thread)
        let kitchen = try Door(.kitchen, at: options.kitchen, context: context, thread: thread)
        log.info(
            "assembler started",
            metadata: [
                "orders": "\(orders.address)", "kitchen": "\(kitchen.address)", "store": "\(options.store)",
                "incarnation": "\(incarnation)", "restored_orders": "\(restored.count)",
            ])
        self.thread = thread
        self.log = log
        self.store = store
        self.context = context
        self.orders = orders
        self.kitchen = kitchen
        notes = Notes(log: log)
        core = AssemblerMachine(
            configuration: options.core, incarnation: incarnation, restoring: restored, now: now)
        housekeeping = Housekeeping(
            store: store, path: options.store, retention: options.retention,
            reserveBytes: options.diskReserveBytes, log: log)
    }

    /// One round: take what has arrived, handle each, commit all changes, then act.
    /// - Returns: when the next one is due at the latest.
    mutating func round(_ clock: Clock) throws -> Instant? {
        let fromKitchen = try kitchen.receive(
            countMax: RunningAssembler.roundMessageCountMax, bytesMax: RunningAssembler.roundBytesMax,
            numbers: &connectionNumber)
        let fromOrders = try orders.receive(
            countMax: RunningAssembler.roundMessageCountMax, bytesMax: RunningAssembler.roundBytesMax,
            numbers: &connectionNumber)
        let now = clock.moment()
        var step = Step()
        for connection in unreachable { step.append(core.handle(.unreachable(connection), now: now)) }
        unreachable = []
        for batch in [fromKitchen, fromOrders] {
            for connection in batch.closedBefore {
                step.append(core.handle(.disconnected(connection), now: now))
            }
        }
        for arrival in fromKitchen.arrivals { step.append(takeFromKitchen(arrival, now: now)) }
        for arrival in fromOrders.arrivals { step.append(try takeFromOrders(arrival, now: now)) }
        for batch in [fromKitchen, fromOrders] {
            for connection in batch.closedWithin {
                step.append(core.handle(.disconnected(connection), now: now))
            }
        }
        for (door, batch) in [(DoorName.kitchen, fromKitchen), (.orders, fromOrders)] {
            if let code = batch.acceptFailure { notes.writeAcceptFailure(code, at: door, now: now.instant) }
            for stranger in batch.strangers {
                notes.write(stranger, at: door, now: now.instant)
                step.append(core.handle(.handshakeFailed(door), now: now))
            }
        }
        notes.tick(now: now.instant)
        if let isShort = housekeeping.checkRoom(now: now.instant) {
            step.append(core.handle(.storeIsShort(isShort), now: now))
        }
        step.append(core.tick(now: now, drained: fromKitchen.isDrained))
        try commitThenAct(step, clock: clock)
        try housekeeping.run(now: clock.moment())
        return nextRound(isDrained: fromKitchen.isDrained && fromOrders.isDrained, now: now.instant)
    }

    /// The whole durability story: no action is performed before the changes that it rests on are in the
    /// store.
    private mutating func commitThenAct(_ step: Step, clock: Clock) throws {
        var actions = step.actions
        let changes = deferredChanges + step.changes
        let isDue = deferredUntil.map { $0 <= clock.moment().instant } ?? false
        if !step.changes.isEmpty || isDue {
            try store.commit(changes)
            let after = core.handle(.committed, now: clock.moment())
            actions += after.actions
            deferredChanges = after.changes
            deferredUntil =
                after.changes.isEmpty
                ? nil : clock.moment().instant.advanced(by: RunningAssembler.deferredFor)
        }
        remember(step.changes)
        try perform(actions, clock: clock)
    }

    private func nextRound(isDrained: Bool, now: Instant) -> Instant? {
        guard isDrained, unreachable.isEmpty else { return now }
        let times = [core.nextDeadline, deferredUntil, housekeeping.nextDeadline, notes.nextDeadline]
        return times.compactMap { $0 }.min()
    }

    private mutating func remember(_ changes: [Change]) {
        for change in changes {
            switch change {
            case .page(let order, let firstIndex, let items):
                pages.insert(order, firstIndex: firstIndex, items: items)
            case .served(let order, _), .abandoned(let order):
                pages.remove(order)
            case .accepted, .sealed, .attemptFailed, .attemptLost, .lossTakenBack, .settled, .cancelRequested,
                .elapsed:
                break
            }
        }
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
                let body = try outcomes(of: order, after: after, countMax: countMax, now: clock.moment())
                answer(connection, request, body)
            case .answerTray(let connection, let request, let order, let index, let countMax):
                let body = try tray(of: order, from: index, countMax: countMax, now: clock.moment())
                answer(connection, request, body)
            case .answerList(let connection, let request, let list):
                answer(connection, request, try orderList(list, now: clock.moment()))
            case .forget(let connection):
                orders.forget(connection)
                kitchen.forget(connection)
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
        return orders.place(of: connection) ?? kitchen.place(of: connection)
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
        let item = try page(of: grant.order, containing: grant.index).map {
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

    private mutating func page(
        of order: OrderID, containing index: Int
    ) throws(StoreError) -> PageCache.Page? {
        if let cached = pages.page(of: order, containing: index) { return cached }
        guard let read = try store.page(of: order, containing: index) else { return nil }
        pages.insert(order, firstIndex: read.firstIndex, items: read.items)
        return PageCache.Page(firstIndex: read.firstIndex, items: read.items)
    }

    private mutating func sendToWorker(_ connection: ConnectionID, _ message: KitchenMessage) {
        note(kitchen.send(Frames.encode(message), to: connection), connection)
    }

    private mutating func answer(
        _ connection: ConnectionID, _ request: UInt64, _ body: OrdersMessage.OneOf_Body
    ) {
        let message = OrdersMessage.with {
            $0.request = request
            $0.body = body
        }
        note(orders.send(Frames.encode(message), to: connection), connection)
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

    // MARK: Answers from core and store

    private func outcomes(
        of order: OrderID, after landing: Int, countMax: Int, now: Moment
    ) throws(StoreError) -> OrdersMessage.OneOf_Body {
        guard let summary = try summary(of: order, now: now) else {
            return .refusal(RunningAssembler.notFound(order))
        }
        let outcomes = try store.outcomes(
            of: order, after: landing, countMax: countMax, bytesMax: Limits.batchBytesAim)
        return .outcomes(
            OutcomeBatch.with {
                $0.outcomes = outcomes
                $0.summary = summary
            })
    }

    /// One stored page at the most: slots by slots, whatever their payloads weigh.
    private mutating func tray(
        of order: OrderID, from index: Int, countMax: Int, now: Moment
    ) throws(StoreError) -> OrdersMessage.OneOf_Body {
        guard let summary = try summary(of: order, now: now) else {
            return .refusal(RunningAssembler.notFound(order))
        }
        var tray = TrayPage()
        tray.summary = summary
        guard countMax > 0, index < summary.itemCount, let page = try page(of: order, containing: index)
        else {
            return .tray(tray)
        }
        let items = page.items[(index - page.firstIndex)...].prefix(countMax)
        let slots = try slots(of: order, from: index, countMax: items.count)
        tray.items = zip(items, slots).enumerated().map { offset, pair in
            TrayItem.with {
                $0.index = UInt32(index + offset)
                $0.name = pair.0.name
                $0.station = pair.0.station
                $0.status = pair.1.status
                $0.attempts = UInt32(pair.1.attempts)
                $0.worker = pair.1.worker
                $0.startedAtMs = UInt64(clamping: pair.1.leasedAt?.milliseconds ?? 0)
            }
        }
        return .tray(tray)
    }

    private func slots(
        of order: OrderID, from index: Int, countMax: Int
    ) throws(StoreError) -> [SlotView] {
        if let slots = core.slots(of: order, from: index, countMax: countMax) { return slots }
        return try store.slotStatuses(of: order, from: index, countMax: countMax).map { SlotView(status: $0) }
    }

    private func orderList(_ list: ListRequest, now: Moment) throws(StoreError) -> OrdersMessage.OneOf_Body {
        let page = try store.list(
            status: list.hasStatus ? list.status : nil, before: OrderID(list.afterOrder),
            countMax: min(max(1, Int(list.orderCountMax)), Limits.batchCountMax))
        return .list(
            OrderList.with {
                $0.orders = page.orders.map { stored in
                    OrderID(stored.order).flatMap { core.summary(of: $0, now: now) } ?? stored
                }
                $0.more = page.more
            })
    }

    private func summary(of order: OrderID, now: Moment) throws(StoreError) -> OrderSummary? {
        if let summary = core.summary(of: order, now: now) { return summary }
        return try store.summary(of: order)
    }

    private static func notFound(_ order: OrderID) -> Refusal {
        Refusal.with {
            $0.reason = .notFound
            $0.message = "no order \(order) is known; ended ones are kept for the assembler's retention"
        }
    }

    // MARK: The end

    /// Sockets close; after an orderly end the corrections are saved and the store is tidied.
    consuming func close(isOrderly: Bool) throws {
        orders.close(thread: thread)
        kitchen.close(thread: thread)
        if isOrderly {
            if !deferredChanges.isEmpty { try store.commit(deferredChanges) }
            try store.close()
        }
        log.info("assembler stopped", metadata: ["orderly": "\(isOrderly)"])
    }
}
