import AssemblerCore
import Wire

// What the auditor writes down.
extension Auditor {
    /// An order as the store has it, by the changes that were committed.
    final class Record {
        let id: OrderID
        var accepted: AcceptedOrder
        // What is asked for with every lease.
        let priority: Int
        let parallelMax: Int
        let notBefore: Int64
        var items: [Item] = []
        var isSealed = false
        var isCancelRequested = false
        var isServed = false
        var served: ServedRecord?
        var settled: [ItemStatus?] = []
        var outcomes: [Outcome] = []
        var counts = TrayCounts()
        /// Failures by item.
        var failures: [Int: [LeaseID]] = [:]
        /// Who failed an item.
        var failedBy: [Int: Set<WorkerInstance>] = [:]
        var losses: [Int: [AttemptRecord]] = [:]
        /// Since the last failure.
        var lossesInRow: [Int: Int] = [:]
        /// Nothing of it may be leased before.
        var waitsUntil = Instant(nanoseconds: 0)
        var turns = Turns()

        init(_ accepted: AcceptedOrder) {
            self.accepted = accepted
            id = accepted.id
            priority = Int(accepted.spec.priority)
            parallelMax = Int(accepted.spec.maxParallel)
            notBefore = Int64(clamping: accepted.spec.notBeforeMs)
        }

        var attemptCount: Int {
            failures.values.reduce(0) { $0 + $1.count } + losses.values.reduce(0) { $0 + $1.count }
        }

        func isSettled(_ index: Int) -> Bool { settled.indices.contains(index) && settled[index] != nil }

        /// What was tried before is not waiting for its first turn.
        func forgetTurns(_ stations: inout StationNumbers) {
            turns = Turns(stations: stations.numbers(of: items))
            for index in items.indices
            where isSettled(index) || failures[index] != nil || losses[index] != nil {
                turns.tried(index)
            }
        }
    }

    /// A lease as its worker holds it.
    struct Held {
        let item: ItemRef
        /// The number of its station.
        let station: Int
        let connection: ConnectionID
        var isRevoked = false
    }

    /// The results that one lease has brought: one, unless it was sent again.
    struct Brought {
        let last: ItemResult
        var before: [ItemResult] = []

        func contains(where isWanted: (ItemResult) -> Bool) -> Bool {
            isWanted(last) || before.contains(where: isWanted)
        }
    }

    /// Leases given at a station.
    struct LeaseCount {
        var count = 0
        /// Which of them was the last that can only have been a tenth.
        var lastTenth: Int?
    }

    /// A worker that was welcomed.
    final class Session {
        /// Its room for one station.
        struct Places {
            var capacity: Int
            var heldCount = 0

            var isFull: Bool { heldCount >= capacity }
        }

        let number: UInt64
        let name: String
        let instance: WorkerInstance
        var isDraining = false
        /// By the stations' numbers.
        private var places: [Places?] = []

        init(number: UInt64, name: String, instance: WorkerInstance) {
            (self.number, self.name, self.instance) = (number, name, instance)
        }

        /// `nil` where it does not serve the station.
        func places(at station: Int) -> Places? { places.indices.contains(station) ? places[station] : nil }

        func serves(_ station: Int) -> Bool { places(at: station) != nil }

        func offer(_ capacity: Int, at station: Int) {
            while places.count <= station { places.append(nil) }
            let heldCount = places[station]?.heldCount ?? 0
            places[station] = Places(capacity: capacity, heldCount: heldCount)
        }

        func hold(at station: Int) { if serves(station) { places[station]?.heldCount += 1 } }

        func release(at station: Int) { if serves(station) { places[station]?.heldCount -= 1 } }

        func hasRoom(at station: Int) -> Bool {
            guard !isDraining, let places = places(at: station) else { return false }
            return !places.isFull
        }
    }

    /// Names of stations, numbered as they are first heard of: few, and looked up all the time.
    struct StationNumbers {
        private(set) var names: [String] = []

        mutating func number(of name: String) -> Int {
            if let known = names.firstIndex(of: name) { return known }
            names.append(name)
            return names.count - 1
        }

        mutating func numbers(of items: [Item]) -> [Int] { items.map { number(of: $0.station) } }
    }
}
