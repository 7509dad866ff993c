import Foundation
import ProducerCore
import Service
import TrayProducer
import Wire

extension Harness {
    /// The producer's core, told whatever decodes: it never traps, every call has one end, and what is shown of the
    /// answers is fit for a terminal and for scripts.
    package static let client = Harness(name: "client") { input in
        var harness = ClientHarness()
        for record in Records(input) { try harness.take(record) }
        return harness.messageCount
    }
}

struct ClientHarness {
    private var client = Client(program: "harness")
    private var now = Moment(
        instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 1_700_000_000_000))
    private var calls: Set<CallID> = []
    private var callCount: UInt64 = 0
    /// Those of this connection, the last ones last.
    private var requests: [UInt64] = []
    private var isLinkUp = false
    private(set) var messageCount = 0

    /// The lowest bits of the control byte say what happens; the highest leaves the round open.
    mutating func take(_ record: Records.Record) throws {
        switch record.control & 15 {
        case 0...2: try hear(record.bytes, isFitted: false)
        case 3...8: try hear(record.bytes, isFitted: true)
        case 9:
            isLinkUp = true
            requests = []
            try perform(client.handle(.linkOpened, now: now))
        case 10:
            isLinkUp = false
            try perform(client.handle(.linkClosed, now: now))
        case 11, 12: try start(record.bytes)
        case 13: pass(record.bytes)
        case 14:
            let id = CallID(UInt64(record.bytes.first ?? 0) % (callCount + 1))
            calls.remove(id)
            try perform(client.handle(.abandon(id), now: now))
        default: try perform(client.handle(.undecodable(.undecodable), now: now))
        }
        guard record.control & 0x80 == 0 else { return }
        // What was due long ago may take a few ticks, one after the other.
        for _ in 0..<Harness.tickCountMax {
            try perform(client.tick(now: now))
            guard let next = client.nextDeadline, next <= now.instant else { return }
        }
        throw Harness.Violation(description: "due again after \(Harness.tickCountMax) ticks: it would spin")
    }

    private mutating func hear(_ bytes: [UInt8], isFitted: Bool) throws {
        guard isLinkUp else { return }
        messageCount += 1
        do {
            var message = try Frames.decode([FrameHarness.head, bytes], as: OrdersMessage.self)
            if isFitted { fit(&message) }
            try perform(client.handle(.received(message), now: now))
        } catch let error as WireError {
            try perform(client.handle(.undecodable(error), now: now))
        }
    }

    private func fit(_ message: inout OrdersMessage) {
        if case .welcome = message.body { message.welcome.version = 1 }
        guard !requests.isEmpty else { return }
        message.request = requests[Int(message.request % UInt64(requests.count))]
    }

    private mutating func start(_ bytes: [UInt8]) throws {
        callCount += 1
        let id = CallID(callCount)
        calls.insert(id)
        let number = Int(bytes.dropFirst().first ?? 0)
        let order = OrderID(high: 7, low: UInt64(number) % 4)
        let request: Request =
            switch (bytes.first ?? 0) % 8 {
            case 0: .submit(ClientHarness.submission(of: order, itemCount: number * 5))
            case 1: .watch(order, afterLanding: number, countMax: 1_000, wait: number % 2 == 0)
            case 2: .tray(order, firstIndex: number, countMax: 1_000)
            case 3: .list(nil, after: number == 0 ? nil : order, countMax: 1_000)
            case 4: .cancel(order)
            case 5: .workers
            case 6: .stations
            default: .ping
            }
        let timeout = bytes.dropFirst(2).first.map { Duration.milliseconds(Int64($0) * 100) }
        try perform(client.handle(.start(id, request, timeout: timeout), now: now))
    }

    private static func submission(of order: OrderID, itemCount: Int) -> Submission {
        let item = Item.with { $0.station = "a" }
        return Submission(
            order: order, spec: OrderSpec(), items: Array(repeating: item, count: itemCount),
            fingerprint: Array(repeating: 1, count: 32))
    }

    private mutating func pass(_ bytes: [UInt8]) {
        let units: [Duration] = [.milliseconds(1), .milliseconds(100), .seconds(10), .seconds(3_600)]
        let duration = units[Int(bytes.first ?? 0) % 4] * Int(bytes.dropFirst().first ?? 1)
        now.instant = now.instant.advanced(by: duration)
        now.wall.milliseconds += duration.milliseconds
    }

    private mutating func perform(_ step: Client.Step) throws {
        for action in step.actions {
            switch action {
            case .send(let message):
                guard isLinkUp else { continue }
                let byteCount = Frames.encode(message)[1].count
                try check(byteCount <= Limits.messageBytesMax, "a message of \(byteCount) bytes")
                requests.append(message.request)
                if requests.count > 8 { requests.removeFirst() }
            case .resetLink:
                isLinkUp = false
            case .finish(let id, let result):
                try check(calls.remove(id) != nil, "call \(id.number) ends twice, or after it was abandoned")
                if case .success(let body) = result { try Shown.check(body, now: now.wall) }
            case .note: break
            }
        }
    }
}
