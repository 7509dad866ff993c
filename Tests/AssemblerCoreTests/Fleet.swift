import Wire

@testable import AssemblerCore

/// Workers whose supervisor starts another process whenever one ends, and items that end them.
struct Fleet {
    var shop: Shop
    private(set) var workers: [ConnectionID] = []
    private var held: [ConnectionID: [Grant]] = [:]
    private let stations: [String: Int]
    private let poison: Set<Int>
    private var startCount: UInt8 = 0
    /// Workers that ended, by the item that did it.
    private(set) var deaths: [Int: Int] = [:]
    private(set) var outcomes: [Int: ItemStatus] = [:]
    /// Grants of every step, in their order.
    private(set) var granted: [Grant] = []
    /// The largest number of workers that held a suspect at once.
    private(set) var examinerCountMax = 0

    /// - Parameter poison: indexes of items that end the worker that runs them, in the step after it began.
    init(_ shop: Shop, count: Int, _ stations: [String: Int], poison: Set<Int>) {
        self.shop = shop
        self.stations = stations
        self.poison = poison
        for _ in 0..<count { start() }
    }

    mutating func start() {
        startCount += 1
        let (connection, step) = shop.worker("w-\(startCount)", stations, instance: startCount)
        workers.append(connection)
        take(step)
    }

    mutating func take(_ step: Step) {
        for outcome in step.outcomes { outcomes[Int(outcome.index)] = outcome.status }
        for worker in workers {
            let grants = step.grants(to: worker)
            granted += grants
            held[worker, default: []] += grants
        }
    }

    /// Each worker begins what it got; one that holds poison ends; any other ends one item.
    /// - Returns: whether anything happened.
    mutating func step() -> Bool {
        let busy = workers.filter { held[$0]?.isEmpty == false }
        examinerCountMax = max(examinerCountMax, busy.count { examines($0) })
        take(shop.live(.milliseconds(100)))
        for worker in workers { take(shop.round(shop.says(worker, .heartbeat(Heartbeat())))) }
        for worker in busy {
            guard let grants = held[worker], let first = grants.first else { continue }
            take(shop.round(shop.started(worker, grants)))
            if let killer = grants.first(where: { poison.contains($0.index) }) {
                deaths[killer.index, default: 0] += 1
                held[worker] = nil
                workers.removeAll { $0 == worker }
                take(shop.round(.disconnected(worker)))
                start()
            } else {
                held[worker] = Array(grants.dropFirst())
                take(shop.round(shop.done(worker, first)))
            }
        }
        return !busy.isEmpty
    }

    private func examines(_ worker: ConnectionID) -> Bool {
        shop.core.sessions[worker]?.examination?.phase == .examining
    }

    /// Steps until so many items are settled, at most `stepCountMax` times.
    mutating func run(until settledCount: Int, stepCountMax: Int = 2_000) {
        for _ in 0..<stepCountMax where outcomes.count < settledCount { _ = step() }
    }
}
