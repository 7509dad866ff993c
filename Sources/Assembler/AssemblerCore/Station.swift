import DequeModule
import Wire

/// The workers that are connected.
typealias Sessions = Table<ConnectionID, Session>

/// A named queue: the orders that wait for it, and the workers that serve it.
struct Station {
    /// A worker at this station.
    struct Place: Equatable {
        let connection: ConnectionID
        let instance: WorkerInstance
        /// Where its session stands in the table of them.
        let sessionPosition: Int
        var capacity: Int
        /// Leases that it holds here, stopping ones included.
        var leasedCount = 0
        var stoppingCount = 0
        var isDraining = false
        /// Its worker runs suspects, or is about to.
        var isReserved = false
        var probation = Probation()

        /// How many more leases it will take.
        var credit: Int {
            guard !isDraining, !isReserved else { return 0 }
            // A handler that does not stop keeps its place, and no more than that.
            let onTrial = probation.leaseCountMax - (leasedCount - stoppingCount)
            return max(0, min(capacity - leasedCount, onTrial))
        }

        /// It takes leases, if not now then later.
        var isServing: Bool { capacity > 0 && !isDraining }
    }

    /// An order in the queue. `since` counts the turns of the station: who waits longest has the lowest.
    private struct Turn {
        let order: OrderID
        let trayPosition: Int
        let since: UInt64
    }

    /// The orders of one priority, in the order of their turns.
    private struct Level {
        let priority: Int
        var turns: Deque<Turn> = []
    }

    let name: String
    var places: [Place] = []
    /// Items that came back from a lost worker: first in line.
    var returned: Deque<ItemKey> = []
    var suspects = SuspectQueue()
    /// Unsettled items.
    var openCount = 0
    /// Unsettled items under lease.
    var leasedCount = 0
    /// Leases given so far.
    private(set) var leaseCount = 0
    private var levels: [Level] = []
    private var turnCount: UInt64 = 0

    init(name: String) { self.name = name }

    /// Workers, and entries of queues.
    var entryCount: Int {
        places.count + returned.count + suspects.entryCount + levels.reduce(0) { $0 + 1 + $1.turns.count }
    }
    var waitingCount: Int { openCount - leasedCount }
    var capacity: Int { places.reduce(0) { $0 + $1.capacity } }
    var hasQueue: Bool { !levels.isEmpty || !returned.isEmpty }

    /// Of every ten leases one goes to the order that has waited longest, whatever its priority.
    static let leasesPerLongestWait = 10

    // MARK: Turns

    /// The order takes its place behind the others of its priority.
    /// - Parameter trayPosition: where its tray stands in the table of them.
    mutating func enqueue(_ order: OrderID, trayPosition: Int, priority: Int) {
        turnCount += 1
        let turn = Turn(order: order, trayPosition: trayPosition, since: turnCount)
        insert(turn, priority: priority, atFront: false)
    }

    /// Takes out the order whose turn it is.
    mutating func dequeue() -> QueuedOrder? {
        let isForLongestWait = leaseCount % Station.leasesPerLongestWait == Station.leasesPerLongestWait - 1
        let level =
            isForLongestWait
            ? levels.indices.min { firstTurn(of: $0) < firstTurn(of: $1) }
            : levels.firstIndex { !$0.turns.isEmpty }
        guard let level, let turn = levels[level].turns.popFirst() else { return nil }
        return QueuedOrder(
            order: turn.order, trayPosition: turn.trayPosition, priority: levels[level].priority,
            since: turn.since)
    }

    /// Levels from which all were taken, and to which none came back.
    mutating func dropEmptyLevels() {
        // Not by key paths: they are slow, and every round comes by here.
        guard levels.contains(where: { $0.turns.isEmpty }) else { return }
        levels.removeAll { $0.turns.isEmpty }
    }

    /// The order keeps its turn: nobody could take its items.
    mutating func putBack(_ queued: QueuedOrder) {
        let turn = Turn(order: queued.order, trayPosition: queued.trayPosition, since: queued.since)
        insert(turn, priority: queued.priority, atFront: true)
    }

    struct QueuedOrder: Equatable {
        let order: OrderID
        let trayPosition: Int
        let priority: Int
        fileprivate let since: UInt64
    }

    private func firstTurn(of level: Int) -> UInt64 { levels[level].turns.first?.since ?? .max }

    private mutating func insert(_ turn: Turn, priority: Int, atFront: Bool) {
        let position = levels.firstIndex { $0.priority <= priority } ?? levels.count
        if position == levels.count || levels[position].priority != priority {
            levels.insert(Level(priority: priority), at: position)
        }
        if atFront { levels[position].turns.prepend(turn) } else { levels[position].turns.append(turn) }
    }

    // MARK: Places

    func placeIndex(of connection: ConnectionID) -> Int? {
        places.firstIndex { $0.connection == connection }
    }

    /// - Parameter place: where it was once, and probably is.
    func placeIndex(of connection: ConnectionID, near place: Int) -> Int? {
        if places.indices.contains(place), places[place].connection == connection { return place }
        return placeIndex(of: connection)
    }

    enum Choice: Equatable {
        case place(Int)
        /// Nobody has credit now.
        case nobody
        /// Those who have credit failed the item before, and somebody else is trusted here: it waits for them.
        case wait
    }

    /// Who gets an item: the worker with the most credit that did not fail it, while there is such a worker.
    /// Of those with the same credit, the one with the fewest leases at all its stations: what dies with a
    /// worker stays small.
    func choose(avoiding failedBy: [WorkerInstance], among sessions: Sessions) -> Choice {
        var best: Int?
        var bestOfAll: Int?
        var hasOther = false
        for index in places.indices {
            let place = places[index]
            let isAvoided = !failedBy.isEmpty && failedBy.contains(place.instance)
            if !isAvoided && place.isServing && !place.probation.isOn { hasOther = true }
            guard place.credit > 0 else { continue }
            if isBetter(index, than: bestOfAll, among: sessions) { bestOfAll = index }
            if !isAvoided, isBetter(index, than: best, among: sessions) { best = index }
        }
        guard let bestOfAll else { return .nobody }
        if let best { return .place(best) }
        return hasOther ? .wait : .place(bestOfAll)
    }

    private func isBetter(_ index: Int, than other: Int?, among sessions: Sessions) -> Bool {
        guard let other else { return true }
        let (credit, otherCredit) = (places[index].credit, places[other].credit)
        guard credit == otherCredit else { return credit > otherCredit }
        let load = sessions[places[index].connection]?.leasedCount ?? 0
        return load < sessions[places[other].connection]?.leasedCount ?? 0
    }

    mutating func take(_ place: Int) {
        places[place].leasedCount += 1
        leaseCount += 1
    }
}
