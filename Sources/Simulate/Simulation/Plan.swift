import AssemblerCore
import Wire

/// What can go wrong in a run. Each seed draws which of them do.
public enum Fault: String, CaseIterable, Sendable {
    /// Messages that take up to seconds.
    case delays
    /// Parties that cannot reach the assembler for a while.
    case partitions
    /// Connections that end, with or without what was on its way.
    case drops
    /// The monitor tells of no closed connection, as on `ipc://`: heartbeats decide.
    case deafMonitor = "deaf-monitor"
    /// The assembler is killed: between rounds, before, during and after a commit, and between its actions.
    case assemblerDies = "assembler-dies"
    /// The assembler is stopped, and goes on later.
    case assemblerFreezes = "assembler-freezes"
    /// Commits that fail: the assembler ends.
    case commitsFail = "commits-fail"
    /// A disk that runs short of room, and then out of it.
    case fullDisk = "full-disk"
    /// Peers that do not read what they are sent.
    case fullPipes = "full-pipes"
    case workersDie = "workers-die"
    /// Workers that are stopped, and go on later with leases of long ago.
    case workersFreeze = "workers-freeze"
    case workersDrain = "workers-drain"
    case slowWorkers = "slow-workers"
    /// Workers that fail whatever they are given.
    case failingWorkers = "failing-workers"
    /// Workers that claim leases which they never had, and answer for them.
    case liars
    /// Workers of another version of the protocol.
    case otherVersions = "other-versions"
    /// What is not of the contract.
    case garbage
    case producersDie = "producers-die"
    /// Producers that are gone before their order is whole, and never come back.
    case vanishingFeeders = "vanishing-feeders"
    /// The same order again: from another process, under another id, or with other content.
    case repeats
    case cancels
    /// Items that end the worker that runs them.
    case poison
    /// Handlers that do not stop when they are told to.
    case stubbornHandlers = "stubborn-handlers"

    /// Faults by which a worker that runs an innocent item may seem dead.
    static let blaming: [Fault] = [
        .delays, .partitions, .drops, .assemblerDies, .assemblerFreezes, .commitsFail, .fullDisk, .fullPipes,
        .workersDie, .workersFreeze, .workersDrain, .liars, .otherVersions, .garbage,
    ]
}

/// What a seed decides before its run begins: which faults are on, and how large the shop is.
public struct Plan: Sendable {
    public let seed: UInt64
    public var faults: [Fault]
    public var workerCount: Int
    public var producerCount: Int
    public var stationNames: [String]
    public var orderCount: Int
    public var itemCountMax: Int
    /// How long things go wrong.
    public var faultPhase: Duration
    /// Messages that the assembler takes in one round, at each door.
    var roundMessageCountMax: Int
    /// Items of one page, as the welcome says.
    var pageItemCountMax: Int
    /// What a commit takes.
    var commitMax: Duration
    /// The pause between two faults.
    var faultPauseMax: Duration
    var configuration = CoreConfiguration()
    /// All orders come at once, and are large: who waits longest shows.
    private(set) var isRush = false
    /// Items that take no time, and workers with many places.
    private(set) var isBusy = false

    public init(seed: UInt64) {
        var dice = Dice(seed: seed, stream: 1)
        self.seed = seed
        let isCalm = dice.chance(5)
        let share = dice.pick([15, 30, 60])
        faults = Fault.allCases.filter { _ in dice.chance(share) && !isCalm }
        workerCount = dice.number(1...6)
        producerCount = dice.number(1...4)
        stationNames = ["grill", "fryer", "drinks"].prefix(dice.number(1...3)).map { $0 }
        orderCount = dice.number(1...12)
        itemCountMax = dice.pick([1, 4, 12, 40])
        faultPhase = dice.milliseconds(2_000...30_000)
        roundMessageCountMax = dice.pick([1, 3, 20, 2_000])
        pageItemCountMax = dice.pick([1, 3, 8, 256])
        commitMax = dice.pick([.microseconds(300), .milliseconds(5), .milliseconds(200)])
        faultPauseMax = dice.pick([.milliseconds(100), .milliseconds(1_000), .milliseconds(4_000)])
        configuration.fillingSilenceMax = dice.milliseconds(3_000...60_000)
        configuration.workerDeathsMax = dice.pick([1, 2, 3, 5, 5, 5, nil])
        configuration.openItemCountMax = dice.pick([40, 200, Limits.openItemCountMax])
        configuration.deadline = dice.pick([.seconds(20), .seconds(300), Defaults.deadline])
        if hasUnconvictedPoison { configuration.deadline = .seconds(20) }
        isRush = dice.chance(10)
        if isRush { itemCountMax = max(itemCountMax, 80) }
    }

    /// Short of nothing: what a bench needs.
    mutating func makeBusy() {
        faultPhase = .seconds(20)
        (roundMessageCountMax, pageItemCountMax, commitMax) = (2_000, 256, .microseconds(300))
        isBusy = true
        configuration = CoreConfiguration()
    }

    public func has(_ fault: Fault) -> Bool { faults.contains(fault) }

    /// Poison is never set aside: only deadlines end its orders.
    var hasUnconvictedPoison: Bool { has(.poison) && configuration.workerDeathsMax == nil }

    /// No fault can make a worker seem dead while it runs an innocent item: only poison ends workers.
    var blamesNobody: Bool { !faults.contains { Fault.blaming.contains($0) } }

    public var description: String {
        let names = faults.isEmpty ? "none" : faults.map(\.rawValue).joined(separator: ", ")
        return "\(workerCount) workers, \(producerCount) producers, \(stationNames.count) stations, "
            + "\(orderCount) orders of up to \(itemCountMax) items, faults for \(faultPhase): \(names)"
    }
}
