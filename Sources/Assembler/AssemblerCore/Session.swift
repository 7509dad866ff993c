import Wire

/// A worker on one connection.
///
///     serving ──report of draining──▶ draining ──▶ (ended)
///        └───────────── lost, left ──────────────────▲
struct Session: Equatable {
    enum State: Equatable {
        /// Takes leases. Can go to `draining`, or end.
        case serving
        /// Takes no more leases. Can only end.
        case draining
    }

    let number: UInt64
    let name: String
    let instance: WorkerInstance
    let program: String
    let connectedAt: WallTime
    /// In the order of its hello.
    var stations: [StationIndex]
    private(set) var state = State.serving
    private(set) var lastHeard: Instant
    /// Leases that it holds at all its stations, stopping ones included.
    var leasedCount = 0
    /// Those of them that were revoked, and have not ended yet.
    var stoppingCount = 0
    /// While it is reserved for suspects.
    var examination: Examination?
    /// It serves ordinary items until then: for as long as it was reserved.
    var restsUntil: Instant?
    var doneCount: UInt64 = 0
    var failedCount: UInt64 = 0

    init(number: UInt64, hello: WorkerHello, name: String, stations: [StationIndex], now: Moment) {
        self.number = number
        self.name = name
        self.stations = stations
        instance = WorkerInstance(bytes: Array(hello.instance))
        program = hello.program
        connectedAt = now.wall
        lastHeard = now.instant
    }

    /// Leases whose slots count on them.
    var runningCount: Int { leasedCount - stoppingCount }

    /// - Returns: whether it is this session that was heard.
    mutating func heard(_ number: UInt64, _ now: Instant) -> Bool {
        guard number == self.number else { return false }
        lastHeard = max(lastHeard, now)
        return true
    }

    /// - Returns: its name.
    mutating func countDone() -> String {
        doneCount += 1
        return name
    }

    /// Time in which nobody listened does not count as silence.
    mutating func forgive(_ gap: Duration) { lastHeard = lastHeard.advanced(by: gap) }

    mutating func drain() { state = .draining }
}
