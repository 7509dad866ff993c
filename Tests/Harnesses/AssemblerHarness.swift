import AssemblerCore
import Foundation
import Wire

extension Harness {
    /// The assembler's core, told whatever decodes: it never traps, settles every slot once, and adds up.
    package static let assembler = Harness(name: "assembler") { input in
        var harness = AssemblerHarness()
        for record in Records(input) { try harness.take(record) }
        try harness.endRound()
        return harness.messageCount
    }
}

/// Producers and workers on eight connections, and the shell between them and the core.
struct AssemblerHarness {
    private static let connectionCount: UInt64 = 8

    private var core: AssemblerMachine
    private var now = Moment(
        instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 1_700_000_000_000))
    private var unread = Step()
    private var sessions: [ConnectionID: UInt64] = [:]
    private var grants: [Grant] = []
    private var leases: Set<LeaseID> = []
    private var ledger = Ledger()
    private var isShort = false
    private(set) var messageCount = 0

    init() {
        var configuration = CoreConfiguration()
        configuration.openItemCountMax = 5_000
        configuration.workerDeathsMax = 3
        core = AssemblerMachine(configuration: configuration, incarnation: 2, now: now)
    }

    /// The lowest three bits of the control byte are the connection, of workers below 4; the next two say whether
    /// the message is made to fit what is known. The highest leaves the round open.
    mutating func take(_ record: Records.Record) throws {
        let connection = ConnectionID(UInt64(record.control) % AssemblerHarness.connectionCount)
        let isFitted = record.control >> 3 & 3 != 0
        if record.control >> 3 & 3 == 3 {
            happen(record.bytes, to: connection)
        } else if connection.number < 4 {
            if var message = read(record.bytes, from: connection, at: .kitchen, as: WorkerMessage.self) {
                if isFitted { fit(&message, connection) }
                unread.append(core.handle(.worker(connection, message), now: now))
            }
        } else if var message = read(record.bytes, from: connection, at: .orders, as: ProducerMessage.self) {
            if isFitted { fit(&message) }
            unread.append(core.handle(.producer(connection, message, known: ledger.known(message)), now: now))
        }
        if record.control & 0x80 == 0 { try endRound() }
    }

    private mutating func read<Body: SwiftProtobufMessage>(
        _ bytes: [UInt8], from connection: ConnectionID, at door: DoorName, as type: Body.Type
    ) -> Body? {
        messageCount += 1
        do {
            return try Frames.decode([FrameHarness.head, bytes], as: type)
        } catch {
            unread.append(core.handle(.malformed(connection, door, error), now: now))
            return nil
        }
    }

    private mutating func happen(_ bytes: [UInt8], to connection: ConnectionID) {
        let amount = Int64(bytes.dropFirst().first ?? 1)
        switch (bytes.first ?? 0) % 8 {
        case 0: unread.append(core.handle(.disconnected(connection), now: now))
        case 1: unread.append(core.handle(.unreachable(connection), now: now))
        case 2: unread.append(core.handle(.handshakeFailed(.kitchen), now: now))
        case 3:
            isShort.toggle()
            unread.append(core.handle(.storeIsShort(isShort), now: now))
        case 4: pass(.milliseconds(amount))
        case 5: pass(.milliseconds(100 * amount))
        case 6: pass(.seconds(10 * amount))
        default: pass(.seconds(3_600 * amount))
        }
    }

    private mutating func pass(_ duration: Duration) {
        now.instant = now.instant.advanced(by: duration)
        now.wall.milliseconds += duration.milliseconds
    }

    // MARK: Rounds

    mutating func endRound() throws {
        unread.append(core.tick(now: now))
        if let next = core.nextDeadline {
            try check(next > now.instant, "due at \(next) after the tick at \(now.instant): it would spin")
        }
        let step = unread
        unread = Step()
        try ledger.commit(step.changes)
        for action in step.actions { try perform(action) }
        guard !step.changes.isEmpty else { return try ledger.compare(core, now: now) }
        let corrections = core.handle(.committed, now: now)
        try ledger.commit(corrections.changes)
        try ledger.compare(core, now: now)
    }

    private mutating func perform(_ action: Action) throws {
        switch action {
        case .tellWorker(let connection, let body):
            if case .welcome(let welcome) = body { sessions[connection] = welcome.session }
            try checkSize(KitchenMessage.with { $0.body = body })
        case .answer(_, let request, let body):
            try checkSize(
                OrdersMessage.with {
                    $0.request = request
                    $0.body = body
                })
        case .lease(_, let grant):
            try check(leases.insert(grant.lease).inserted, "lease \(grant.lease.text) is given twice")
            grants.append(grant)
        case .answerOutcomes, .answerTray, .answerList, .forget, .note: break
        }
    }

    private func checkSize(_ message: some SwiftProtobufMessage) throws {
        let byteCount = Frames.encode(message)[1].count
        try check(byteCount <= Limits.messageBytesMax, "a message of \(byteCount) bytes")
    }

    // MARK: Fitting

    private func fit(_ message: inout WorkerMessage, _ connection: ConnectionID) {
        message.session = sessions[connection] ?? message.session
        switch message.body {
        case .hello(var hello):
            hello.versions = Frames.versions
            hello.name = Label.isValid(hello.name) ? hello.name : "w"
            if hello.instance.count != 16 {
                hello.instance = Data(repeating: UInt8(connection.number), count: 16)
            }
            hello.stations = fit(hello.stations.isEmpty ? [.with { $0.capacity = 2 }] : hello.stations)
            hello.running = hello.running.map(fit)
            hello.held = hello.held.map(fit)
            message.hello = hello
        case .credit(var report):
            report.stations = fit(report.stations)
            message.credit = report
        case .started(let report):
            message.started.leases = report.leases.map { grant(near: $0)?.lease ?? $0 }
        case .results(let batch):
            message.results.results = batch.results.map { result in
                guard let grant = grant(near: result.lease) else { return result }
                var result = result
                (result.lease, result.order, result.index) = (
                    grant.lease, grant.order.data, UInt32(grant.index)
                )
                return result
            }
        case .heartbeat, .farewell, nil: break
        }
    }

    private func fit(_ claim: Claim) -> Claim {
        guard let grant = grant(near: claim.lease) else { return claim }
        var claim = claim
        (claim.lease, claim.order, claim.index) = (grant.lease, grant.order.data, UInt32(grant.index))
        return claim
    }

    private func fit(_ stations: [StationCapacity]) -> [StationCapacity] {
        var names: Set<String> = []
        return stations.compactMap { offered in
            let name = Label.isValid(offered.station) ? offered.station : "a"
            guard names.insert(name).inserted else { return nil }
            return .with {
                $0.station = name
                $0.capacity = offered.capacity % 16
            }
        }
    }

    private func grant(near lease: LeaseID) -> Grant? {
        grants.isEmpty ? nil : grants[Int(lease.number % UInt64(grants.count))]
    }

    private func fit(_ message: inout ProducerMessage) {
        switch message.body {
        case .hello: message.hello.versions = Frames.versions
        case .submit(var submit):
            submit.order = fit(submit.order)
            submit.items = submit.items.map(fit)
            if submit.fingerprint.count < 8 { submit.fingerprint = Data(repeating: 1, count: 8) }
            if submit.itemCount > 1_000 { submit.itemCount = UInt32(submit.items.count) }
            message.submit = submit
        case .page(var page):
            page.order = fit(page.order)
            page.items = page.items.map(fit)
            message.page = page
        case .watch(let watch): message.watch.order = fit(watch.order)
        case .tray(let tray): message.tray.order = fit(tray.order)
        case .cancel(let cancel): message.cancel.order = fit(cancel.order)
        case .list, .workers, .stations, .ping, nil: break
        }
    }

    private func fit(_ item: Item) -> Item {
        guard !Label.isValid(item.station) else { return item }
        var item = item
        item.station = "a"
        return item
    }

    private func fit(_ order: Data) -> Data {
        order.count == OrderID.byteCount ? order : OrderID(high: 7, low: UInt64(order.first ?? 0) % 4).data
    }
}
