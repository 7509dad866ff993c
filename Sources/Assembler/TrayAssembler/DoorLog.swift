import Logging
import Wire

/// Something at a door that an operator would want to know once, however often it happens.
struct DoorEvent: Hashable {
    let message: String
    /// Where they are, as far as it is known; their port is another with each attempt.
    let host: String
    let door: String
    /// One of few texts: never a peer's own words.
    let what: String
}

/// The log of what strangers and refused peers do at the doors: a line for each, and not for each repetition.
///
/// An event is told of at once, and at the end of the interval how often it came again. At most so many are told of
/// by themselves in a second; the rest of a flood is one number.
struct DoorLog {
    private static let interval = Duration.seconds(10)
    private static let second = Duration.seconds(1)
    private static let lineCountMax = 10

    private let log: Logger
    /// Those of this interval, in the order in which they came, and how often they have come again.
    private var told: [DoorEvent: Int] = [:]
    private var intervalEnd: Instant?
    /// Of this second.
    private var lineCount = 0
    private var untoldCount = 0
    private var secondEnd: Instant?

    init(log: Logger) { self.log = log }

    /// When `tick` wants to be called at the latest.
    var nextDeadline: Instant? { Instant.earliest(intervalEnd, secondEnd) }

    /// - Parameter details: of this one occurrence.
    mutating func tell(
        _ event: DoorEvent, level: Logger.Level = .warning, details: Logger.Metadata = [:], now: Instant
    ) {
        tick(now: now)
        if let count = told[event] {
            told[event] = count + 1
            return
        }
        if secondEnd == nil { secondEnd = now.advanced(by: DoorLog.second) }
        guard lineCount < DoorLog.lineCountMax else {
            untoldCount += 1
            return
        }
        if intervalEnd == nil { intervalEnd = now.advanced(by: DoorLog.interval) }
        lineCount += 1
        told[event] = 0
        log.log(level: level, "\(event.message)", metadata: event.metadata.merging(details) { old, _ in old })
    }

    /// Sums up what is over.
    mutating func tick(now: Instant) {
        if let end = secondEnd, now >= end {
            if untoldCount > 0 {
                log.warning(
                    "more strangers and refusals than the log has lines for",
                    metadata: ["count": "\(untoldCount)"])
            }
            (lineCount, untoldCount, secondEnd) = (0, 0, nil)
        }
        if let end = intervalEnd, now >= end {
            let again = told.filter { $0.value > 0 }.sorted {
                ($0.key.message, $0.key.what) < ($1.key.message, $1.key.what)
            }
            for (event, count) in again {
                log.info(
                    "\(event.message), again", metadata: event.metadata.merging(["count": "\(count)"]) { $1 })
            }
            (told, intervalEnd) = ([:], nil)
        }
    }
}

extension DoorEvent {
    fileprivate var metadata: Logger.Metadata {
        ["host": "\(host)", "endpoint": "\(door)", "what": "\(what)"]
    }
}
