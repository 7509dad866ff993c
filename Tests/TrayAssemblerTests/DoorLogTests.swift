import Logging
import Synchronization
import Testing
import Wire

@testable import TrayAssembler

/// What was logged, a line each: the message and its metadata in the order of their keys.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct LineHandler: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        lines.add(([event.level.rawValue, "\(event.message)"] + details).joined(separator: " "))
    }
}

@Suite("The log of the doors")
struct DoorLogTests {
    private let lines = Lines()
    private var log: DoorLog

    init() {
        let lines = lines
        log = DoorLog(log: Logger(label: "assembler") { _ in LineHandler(lines: lines) })
    }

    private func event(_ host: String = "192.0.2.1") -> DoorEvent {
        DoorEvent(message: "handshake failed", host: host, door: "kitchen", what: "it speaks HTTP")
    }

    private func second(_ number: Double) -> Instant { Instant(nanoseconds: Int64(number * 1e9)) }

    @Test("tells of a stranger at once, and after ten seconds how often they came again")
    mutating func again() {
        for attempt in 0..<50 { log.tell(event(), now: second(Double(attempt) * 0.1)) }
        let first = "warning handshake failed endpoint=kitchen host=192.0.2.1 what=it speaks HTTP"
        #expect(lines.all == [first])
        #expect(log.nextDeadline != nil)
        log.tick(now: second(10))
        #expect(
            lines.all == [
                first,
                "info handshake failed, again count=49 endpoint=kitchen host=192.0.2.1 what=it speaks HTTP",
            ])
        #expect(log.nextDeadline == nil, "nothing is kept of them")
        log.tell(event(), now: second(11))
        #expect(lines.all.count == 3, "the next interval tells of them anew")
    }

    @Test("tells of each stranger, with what this one did")
    mutating func each() {
        log.tell(event("192.0.2.1"), level: .info, details: ["error": "a"], now: second(0))
        log.tell(event("192.0.2.2"), details: ["error": "b"], now: second(0))
        #expect(
            lines.all == [
                "info handshake failed endpoint=kitchen error=a host=192.0.2.1 what=it speaks HTTP",
                "warning handshake failed endpoint=kitchen error=b host=192.0.2.2 what=it speaks HTTP",
            ])
    }

    @Test("writes ten lines a second of a flood, and one of how many more there were")
    mutating func flood() {
        for number in 0..<10_000 { log.tell(event("host-\(number)"), now: second(0.5)) }
        #expect(lines.all.count == 10)
        log.tick(now: second(1.5))
        #expect(lines.all.count == 11)
        #expect(lines.all.last == "warning more strangers and refusals than the log has lines for count=9990")
        log.tell(event("another"), now: second(1.6))
        #expect(lines.all.count == 12, "the next second has lines again")
    }
}
