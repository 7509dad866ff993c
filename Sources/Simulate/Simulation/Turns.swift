/// Since when an order has waited for its turn at each station, by the stations' numbers.
struct Turns {
    struct Wait {
        /// Items that nobody has tried, by the auditor's book.
        var untriedCount = 0
        /// It has waited without a break since then, at the least; `nil` when that is not certain.
        var since: Int?
        /// When an item of it had a turn last.
        var lastTurn: Int?
        /// Leases in a row that went to orders which have waited less.
        var passedOverCount = 0
    }

    private var waits: [Wait] = []
    /// Of each item.
    private let stations: [Int]
    private var tried: [Bool]
    /// When the order came; no later, where that is not known.
    private let cameAt: Int

    /// - Parameter stations: the number of each item's.
    init(stations: [Int] = [], cameAt: Int = 0) {
        self.stations = stations
        self.cameAt = cameAt
        tried = Array(repeating: false, count: stations.count)
        if let last = stations.max() { waits = Array(repeating: Wait(), count: last + 1) }
        for station in stations { waits[station].untriedCount += 1 }
    }

    private func isKnown(_ station: Int) -> Bool { waits.indices.contains(station) }

    /// The numbers of the stations at which items of it may wait.
    var knownStations: Range<Int> { waits.indices }

    func untriedCount(at station: Int) -> Int { isKnown(station) ? waits[station].untriedCount : 0 }

    func waitsSince(at station: Int) -> Int? { isKnown(station) ? waits[station].since : nil }

    mutating func tried(_ index: Int) {
        guard tried.indices.contains(index), !tried[index] else { return }
        tried[index] = true
        let station = stations[index]
        waits[station].untriedCount -= 1
        if waits[station].untriedCount == 0 { rest(at: station) }
    }

    mutating func begin(at station: Int, _ instant: Int) {
        guard isKnown(station) else { return }
        waits[station].since = instant
        waits[station].passedOverCount = 0
    }

    mutating func rest(at station: Int) { if isKnown(station) { waits[station].since = nil } }

    /// It may not be leased, wherever its items wait.
    mutating func restEverywhere() { for station in waits.indices { waits[station].since = nil } }

    mutating func hadTurn(at station: Int, _ instant: Int) {
        if isKnown(station) { waits[station].lastTurn = instant }
    }

    /// Whether it waits only since after `instant`: it had a turn since then, or came later.
    func waitsLess(at station: Int, than instant: Int) -> Bool {
        let lastTurn = isKnown(station) ? waits[station].lastTurn : nil
        return max(lastTurn ?? 0, cameAt) >= instant
    }

    /// - Returns: how many leases in a row have passed it over.
    mutating func pass(at station: Int) -> Int {
        guard isKnown(station) else { return 0 }
        waits[station].passedOverCount += 1
        return waits[station].passedOverCount
    }

    mutating func elderServed(at station: Int) { if isKnown(station) { waits[station].passedOverCount = 0 } }

    /// One lease of ten is not counted: it may have been the one for the longest wait.
    mutating func forgive(at station: Int) {
        guard isKnown(station) else { return }
        waits[station].passedOverCount = max(
            0, waits[station].passedOverCount + 1 - Auditor.leasesPerLongestWait)
    }
}
