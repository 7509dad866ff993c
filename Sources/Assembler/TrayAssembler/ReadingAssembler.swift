import AssemblerCore
import AssemblerStore
import Logging
import Wire
import ZeroMQ

/// An assembler without room for its store: it answers what can be read, refuses what would have to be
/// written, and looks once a second whether there is room now.
///
/// It stands where the process would otherwise end, and be started again by its supervisor, and end again.
struct ReadingAssembler: ~Copyable {
    private var doors: Doors
    let store: Store
    private var answers: StoreAnswers
    private let room: Room
    private let thread: PollingThread
    private let program: String
    private let standing: Store.Standing
    /// When each producer that has said hello was last heard.
    private var producers: [ConnectionID: Instant] = [:]
    /// When each worker was last refused.
    private var workers: [ConnectionID: Instant] = [:]
    private var nextLook: Instant
    private var notes: Notes
    private let log: Logger

    private static let lookPause = Duration.seconds(1)
    private static let producerSilenceMax = Duration.seconds(60)
    /// A worker gives a connection that does not welcome it up much sooner.
    private static let workerSilenceMax = Duration.seconds(10)

    init(
        _ standing: Store.Standing, store: Store, doors: consuming Doors, options: AssemblerService.Options,
        thread: PollingThread, now: Moment, log: Logger
    ) {
        let room = Room(of: store.path, reserveBytes: options.diskReserveBytes)
        let metadata: Logger.Metadata = [
            "orders": "\(doors.orders.address)", "kitchen": "\(doors.kitchen.address)",
            "store": "\(options.store)", "folder": "\(room.folder)",
            "free_bytes": "\(room.freeBytes ?? 0)", "needed_bytes": "\(room.startBytesMin)",
        ]
        log.error(
            "no room for the store: reads are served, orders, cancels and workers are refused until there is",
            metadata: metadata)
        self.standing = standing
        self.room = room
        self.doors = doors
        self.store = store
        answers = StoreAnswers(store)
        self.thread = thread
        program = options.core.program
        nextLook = now.instant.advanced(by: ReadingAssembler.lookPause)
        notes = Notes(log: log)
        self.log = log
    }

    /// Answers what has arrived.
    /// - Returns: when the next round is due at the latest.
    mutating func round(now: Instant) throws -> Instant? {
        let (fromKitchen, fromOrders) = try doors.receive()
        // Nothing happens here; who subscribes hears of what happens later.
        let fromEvents = try doors.events.receive()
        for arrival in fromKitchen.arrivals { takeFromKitchen(arrival, now: now) }
        for arrival in fromOrders.arrivals { try takeFromOrders(arrival, now: now) }
        for connection in fromKitchen.closed + fromOrders.closed { forget(connection) }
        let strangers = [
            (DoorName.kitchen, fromKitchen.strangers), (.orders, fromOrders.strangers),
            (.events, fromEvents.strangers),
        ]
        for (door, strangers) in strangers {
            for stranger in strangers { notes.write(stranger, at: door, now: now) }
        }
        notes.tick(now: now)
        guard fromKitchen.isDrained, fromOrders.isDrained else { return now }
        return Instant.earliest(nextLook, notes.nextDeadline)
    }

    /// Once a second: whether there is room to begin now.
    /// - Returns: what the store's beginning came to; `nil` while there is no room.
    mutating func lookForRoom(now: Moment) throws(StoreError) -> Beginning? {
        guard now.instant >= nextLook else { return nil }
        nextLook = now.instant.advanced(by: ReadingAssembler.lookPause)
        forgetSilent(now: now.instant)
        try store.checkInPlace()
        return try Beginning(of: store, room: room, at: now.wall)
    }

    /// The doors, for an assembler that writes. Workers that were refused hear that they can come back.
    consuming func handOver() -> Doors {
        for connection in workers.keys.sorted() {
            tellWorker(connection, .session, "there is room for the store again; say hello on a fresh socket")
        }
        return doors
    }

    consuming func close() throws(StoreError) {
        doors.close(thread: thread)
        do throws(StoreError) {
            try store.close()
        } catch {
            throw store.rescue(from: error)
        }
        log.info("assembler stopped", metadata: ["orderly": "true"])
    }

    // MARK: Workers

    private mutating func takeFromKitchen(_ arrival: Door.Arrival, now: Instant) {
        do {
            let message = try Frames.decode(arrival.frames, as: WorkerMessage.self)
            guard case .hello(let hello) = message.body else {
                return tellWorker(arrival.connection, .session, "say hello on a fresh socket")
            }
            workers[arrival.connection] = now
            guard Frames.commonVersion(with: hello.versions) != nil else {
                return tellWorker(arrival.connection, .version, "no common protocol version")
            }
            tellWorker(arrival.connection, .unavailable, whyNot)
        } catch {
            noteMalformed(arrival.connection, .kitchen, error, now: now)
            tellWorker(arrival.connection, error == .unknownBody ? .unsupported : .malformed, "\(error)")
        }
    }

    private func tellWorker(_ connection: ConnectionID, _ reason: Refusal.Reason, _ message: String) {
        let answer = KitchenMessage.with { $0.refusal = refusal(reason, message) }
        // Who cannot be told asks again on another connection.
        _ = doors.kitchen.send(Frames.encode(answer), to: connection)
    }

    // MARK: Producers

    private mutating func takeFromOrders(_ arrival: Door.Arrival, now: Instant) throws(StoreError) {
        let connection = arrival.connection
        let message: ProducerMessage
        do {
            message = try Frames.decode(arrival.frames, as: ProducerMessage.self)
        } catch {
            noteMalformed(connection, .orders, error, now: now)
            let reason = error == .unknownBody ? Refusal.Reason.unsupported : .malformed
            return answer(connection, 0, .refusal(refusal(reason, "\(error)")))
        }
        if case .hello(let hello) = message.body {
            return answer(connection, message.request, greet(connection, hello, now: now))
        }
        guard producers.updateValue(now, forKey: connection) != nil else {
            producers[connection] = nil
            return answer(
                connection, message.request,
                .refusal(refusal(.session, "say hello first, on a fresh socket")))
        }
        guard let body = try answer(to: message) else { return }
        answer(connection, message.request, body)
    }

    private mutating func greet(
        _ connection: ConnectionID, _ hello: ProducerHello, now: Instant
    ) -> OrdersMessage.OneOf_Body {
        guard let version = Frames.commonVersion(with: hello.versions) else {
            return .refusal(refusal(.version, "no common protocol version"))
        }
        producers[connection] = now
        return .welcome(
            ProducerWelcome.with {
                $0.version = version
                $0.incarnation = standing.incarnation
                $0.contentBytesMax = UInt64(Limits.contentBytesMax)
                $0.messageBytesMax = UInt64(Limits.messageBytesMax)
                $0.itemCountMax = UInt32(Limits.orderItemCountMax)
                $0.pageItemCountMax = UInt32(Limits.pageItemCountMax)
                $0.program = program
            })
    }

    /// - Returns: `nil` for a watch that waits: nothing lands here. Its producer asks again once there is room.
    private mutating func answer(to message: ProducerMessage) throws(StoreError) -> OrdersMessage.OneOf_Body?
    {
        switch message.body {
        case .submit(let submit): try receipt(for: submit)
        case .hello, .page, .cancel, .workers, .stations: .refusal(refusal(.unavailable, whyNot))
        case .watch(let watch): try outcomes(for: watch)
        case .tray(let tray):
            if let order = OrderID(tray.order) {
                try answers.tray(
                    of: order, from: Int(tray.firstIndex),
                    countMax: min(Int(tray.itemCountMax), Limits.batchCountMax))
            } else {
                .refusal(refusal(.malformed, ReadingAssembler.noOrderID))
            }
        case .list(let list): try answers.list(list)
        case .ping: .pong(pong)
        case nil: .refusal(refusal(.unsupported, WireError.unknownBody.description))
        }
    }

    /// An order that was accepted before is still accepted: its receipt was lost.
    private func receipt(for submit: Submit) throws(StoreError) -> OrdersMessage.OneOf_Body {
        let key = submit.spec.key.isEmpty ? nil : submit.spec.key
        guard let known = try store.known(order: OrderID(submit.order), key: key),
            known.fingerprint == Array(submit.fingerprint), try store.summary(of: known.id) != nil
        else { return .refusal(refusal(.unavailable, whyNot)) }
        return .receipt(
            Receipt.with {
                $0.order = known.id.data
                $0.status = known.status
                $0.known = true
            })
    }

    private func outcomes(for watch: Watch) throws(StoreError) -> OrdersMessage.OneOf_Body? {
        guard let order = OrderID(watch.order) else {
            return .refusal(refusal(.malformed, ReadingAssembler.noOrderID))
        }
        let body = try answers.outcomes(
            of: order, after: Int(watch.afterLanding),
            countMax: min(max(1, Int(watch.outcomeCountMax)), Limits.batchCountMax))
        guard watch.wait, case .outcomes(let batch) = body else { return body }
        return batch.outcomes.isEmpty && batch.summary.status == .running ? nil : body
    }

    private var pong: Pong {
        Pong.with {
            $0.incarnation = standing.incarnation
            $0.program = program
            $0.runningOrderCount = UInt64(standing.runningOrderCount)
            $0.openItemCount = UInt64(standing.openItemCount)
        }
    }

    private func answer(_ connection: ConnectionID, _ request: UInt64, _ body: OrdersMessage.OneOf_Body) {
        let message = OrdersMessage.with {
            $0.request = request
            $0.body = body
        }
        // Who cannot be told asks again on another connection.
        _ = doors.orders.send(Frames.encode(message), to: connection)
    }

    // MARK: Small things

    private static let noOrderID = "an order id has 16 bytes"

    private var whyNot: String {
        "the assembler has no room for its store: \(room.freeBytes ?? 0) bytes are free in \(room.folder), and "
            + "\(room.startBytesMin) are needed; until there is room it only answers what can be read"
    }

    private func refusal(_ reason: Refusal.Reason, _ message: String) -> Refusal {
        Refusal.with {
            $0.reason = reason
            $0.message = message
            $0.versions = Frames.versions
            if reason == .unavailable {
                $0.retryAfterMs = UInt64(ReadingAssembler.lookPause.milliseconds)
            }
        }
    }

    private mutating func noteMalformed(
        _ connection: ConnectionID, _ door: DoorName, _ error: WireError, now: Instant
    ) {
        let note = Note.malformed(connection, door, error.description)
        notes.write(note, at: doors.place(of: connection), now: now)
    }

    private mutating func forget(_ connection: ConnectionID) {
        producers[connection] = nil
        workers[connection] = nil
        doors.forget(connection)
    }

    private mutating func forgetSilent(now: Instant) {
        for (connection, heard) in producers
        where heard.advanced(by: ReadingAssembler.producerSilenceMax) < now {
            forget(connection)
        }
        for (connection, refused) in workers
        where refused.advanced(by: ReadingAssembler.workerSilenceMax) < now {
            forget(connection)
        }
    }
}
