import Foundation
import Wire
import WorkerCore

extension Harness {
    /// The worker's core, told whatever decodes: it never traps, and every lease that it starts has one end.
    package static let worker = Harness(name: "worker") { input in
        var harness = WorkerHarness()
        for record in Records(input) { try harness.take(record) }
        return harness.messageCount
    }
}

struct WorkerHarness {
    private var core: WorkerMachine
    private var now = Moment(
        instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 1_700_000_000_000))
    private var running: [LeaseID] = []
    private var stopped: Set<LeaseID> = []
    private var isOver = false
    private(set) var messageCount = 0

    init() {
        core = WorkerMachine(
            name: "w", instance: Array(repeating: 1, count: 16),
            stations: [
                ServedStation(name: "a", capacity: 4),
                ServedStation(name: "grill", capacity: 2, timeout: .seconds(1)),
            ],
            drainTimeout: .seconds(3), program: "harness", now: now)
    }

    /// The lowest bits of the control byte say what happens; the highest leaves the round open.
    mutating func take(_ record: Records.Record) throws {
        switch record.control & 15 {
        case 0...3: try hear(record.bytes, isFitted: false)
        case 4...8: try hear(record.bytes, isFitted: true)
        case 9: try perform(core.handle(.linkOpened, now: now))
        case 10: try perform(core.handle(.linkClosed, now: now))
        case 11, 12: try endOne(record.bytes)
        case 13: pass(record.bytes)
        case 14:
            let wish: WorkerMachine.Input = record.bytes.first == 1 ? .hurry : .drain
            try perform(core.handle(wish, now: now))
        default: try perform(core.handle(.undecodable(.unknownBody), now: now))
        }
        guard record.control & 0x80 == 0 else { return }
        // What was due long ago may take a few ticks, one after the other.
        for _ in 0..<Harness.tickCountMax {
            try perform(core.tick(now: now))
            guard let next = core.nextDeadline, next <= now.instant else { return }
        }
        throw Harness.Violation(description: "due again after \(Harness.tickCountMax) ticks: it would spin")
    }

    private mutating func hear(_ bytes: [UInt8], isFitted: Bool) throws {
        messageCount += 1
        do {
            var message = try Frames.decode([FrameHarness.head, bytes], as: KitchenMessage.self)
            if isFitted { fit(&message) }
            try perform(core.handle(.received(message), now: now))
        } catch let error as WireError {
            try perform(core.handle(.undecodable(error), now: now))
        }
    }

    private mutating func endOne(_ bytes: [UInt8]) throws {
        guard let first = bytes.first, !running.isEmpty else { return }
        let lease = running.remove(at: Int(first) % running.count)
        let outcome: HandlerOutcome =
            first & 0x40 == 0
            ? .done(.with { $0.data = Data(bytes) })
            : .failed(message: String(decoding: bytes, as: UTF8.self), isPermanent: first & 0x20 == 0)
        stopped.remove(lease)
        try perform(core.handle(.handlerEnded(lease, outcome), now: now))
    }

    private mutating func pass(_ bytes: [UInt8]) {
        let units: [Duration] = [.milliseconds(1), .milliseconds(100), .seconds(10), .seconds(3_600)]
        let duration = units[Int(bytes.first ?? 0) % 4] * Int(bytes.dropFirst().first ?? 1)
        now.instant = now.instant.advanced(by: duration)
        now.wall.milliseconds += duration.milliseconds
    }

    private func fit(_ message: inout KitchenMessage) {
        switch message.body {
        case .welcome:
            message.welcome.version = 1
            message.welcome.session = max(1, message.welcome.session)
        case .leases(let batch):
            message.leases.leases = batch.leases.map { lease in
                var lease = lease
                if lease.station != "grill" { lease.station = "a" }
                if lease.order.count != 16 { lease.order = OrderID(high: 7, low: 1).data }
                return lease
            }
        case .revokes(let batch) where !running.isEmpty:
            message.revokes.revokes = batch.revokes.map { revoke in
                var revoke = revoke
                revoke.lease = running[Int(revoke.lease.number % UInt64(running.count))]
                return revoke
            }
        case .refusal, .acks, .revokes, .heartbeat, nil: break
        }
    }

    private mutating func perform(_ step: WorkerMachine.Step) throws {
        for action in step.actions {
            try check(!isOver, "\(action) after the end")
            switch action {
            case .send(let message):
                let byteCount = Frames.encode(message)[1].count
                try check(byteCount <= Limits.messageBytesMax, "a message of \(byteCount) bytes")
            case .start(let lease):
                try check(!running.contains(lease.lease), "lease \(lease.lease.text) is started twice")
                try check(["a", "grill"].contains(lease.station), "a handler for '\(lease.station)'")
                try check(lease.order.count == OrderID.byteCount, "an order of \(lease.order.count) bytes")
                running.append(lease.lease)
            case .stop(let lease, _):
                try check(running.contains(lease), "lease \(lease.text) is stopped, and does not run")
                try check(stopped.insert(lease).inserted, "lease \(lease.text) is stopped twice")
            case .finished: isOver = true
            case .resetLink, .note: break
            }
        }
    }
}
