import Foundation
import Seeded

/// Everything that is known of one run on a journaled disk.
struct RecordedRun {
    let journal: Journal
    let sent: SentOrders
    /// In the order of their positions.
    let acknowledgements: [Acknowledgement]
    /// Bytes of the journal when an assembler came that deletes ended orders.
    let retentionPosition: Int
}

/// Cuts the power at many points of a run, and opens what is left with the real store.
struct PowerCutTrial {
    let run: RecordedRun
    /// The same seed cuts at the same points.
    let seed: UInt64
    /// The most states of the disk that are looked at.
    let stateCountMax: Int

    struct Result {
        var cutCount = 0
        var stateCount = 0
        /// Receipts, outcomes and ends that were looked for, over all states.
        var comparisonCount = 0
        var findings: [PowerCutFinding] = []
        /// Where the first of each kind were found.
        var places: [String] = []

        var text: String {
            let kinds = PowerCutFinding.Kind.allCases.map { kind in
                "\(kind.rawValue) \(findings.count { $0.kind == kind })"
            }
            return "\(cutCount) cuts, \(stateCount) different states of the disk, \(comparisonCount) "
                + "acknowledgements looked for: \(kinds.joined(separator: ", "))"
        }
    }

    private struct Cut {
        let entryCount: Int
        let fate: CutDisk.Fate
    }

    /// - Parameter folder: for the disks as they are after the cut; emptied for each.
    func result(in folder: URL) throws -> Result {
        var (result, disk, entryCount, seen) = (Result(), CutDisk(), 0, Set<Int>())
        var cuts = Set<Int>()
        for cut in plan() {
            while entryCount < cut.entryCount {
                disk.apply(run.journal.entries[entryCount].operation)
                entryCount += 1
            }
            let position = entryCount == 0 ? 0 : run.journal.entries[entryCount - 1].end
            let acknowledged = run.acknowledgements.prefix { $0.position <= position }
            let contents = disk.contents(after: cut.fate)
            cuts.insert(entryCount)
            guard seen.insert(PowerCutTrial.fingerprint(contents, acknowledged.count)).inserted else {
                continue
            }
            result.stateCount += 1
            result.comparisonCount += acknowledged.count
            try PowerCutTrial.write(contents, to: folder)
            let findings = PowerCutInspection.findings(
                path: folder.path + JournaledDisk.storeName, sent: run.sent, acknowledged: acknowledged,
                isRetentionOver: position > run.retentionPosition)
            if let first = findings.first, result.places.count < 10 {
                result.places.append("after \(entryCount) operations, \(cut.fate): \(first)")
            }
            result.findings += findings
        }
        result.cutCount = cuts.count
        return result
    }

    /// Before every sync and after the last operation what is safe alone; at every operation all of it, and
    /// mixtures. Of too many, parts that the seed picks: a quarter from the first start, a quarter of what is safe.
    private func plan() -> [Cut] {
        var generator = SplitMix(seed: seed)
        let entries = run.journal.entries
        var (beginning, safe, others): ([Cut], [Cut], [Cut]) = ([Cut(entryCount: 0, fate: .lost)], [], [])
        for count in 1...entries.count {
            let isBeforeSync = count == entries.count || entries[count].operation.isSync
            if isBeforeSync { safe.append(Cut(entryCount: count, fate: .lost)) }
            let keeping = [0.1, 0.5, 0.9][Int.random(in: 0..<3, using: &generator)]
            var cuts = [Cut(entryCount: count, fate: .kept)]
            for probability in isBeforeSync ? [keeping, 0.5] : [keeping] {
                cuts.append(
                    Cut(entryCount: count, fate: .mixed(keeping: probability, seed: generator.next())))
            }
            if count <= PowerCutTrial.firstStartEntryCount { beginning += cuts } else { others += cuts }
        }
        let parts = [(beginning, stateCountMax / 4), (safe, stateCountMax / 4), (others, stateCountMax / 2)]
        let cuts = parts.flatMap { $0.0.shuffled(using: &generator).prefix($0.1) }
        return cuts.enumerated()
            .sorted { ($0.element.entryCount, $0.offset) < ($1.element.entryCount, $1.offset) }
            .map(\.element)
    }

    /// The store's folder, file and tables are made within so many operations.
    private static let firstStartEntryCount = 80

    private static func fingerprint(_ contents: [String: [UInt8]], _ acknowledgedCount: Int) -> Int {
        var hasher = Hasher()
        hasher.combine(acknowledgedCount)
        for (name, bytes) in contents.sorted(by: { $0.key < $1.key }) {
            hasher.combine(name)
            bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
        return hasher.finalize()
    }

    static func write(_ contents: [String: [UInt8]], to folder: URL) throws {
        let manager = FileManager.default
        if manager.fileExists(atPath: folder.path) { try manager.removeItem(at: folder) }
        try manager.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, bytes) in contents {
            let file = folder.appending(path: name)
            try manager.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: file)
        }
    }
}

extension RecordedRun {
    /// The same run on a disk that says "safe" and keeps nothing.
    func onLyingDisk() -> RecordedRun {
        RecordedRun(
            journal: Journal(
                entries: journal.entries.filter {
                    if case .synced = $0.operation { false } else { true }
                }),
            sent: sent, acknowledgements: acknowledgements, retentionPosition: retentionPosition)
    }

    /// The same run of an assembler that acknowledges before the sync that it should wait for.
    func withHastyAcknowledgements() -> RecordedRun {
        let beforeSyncs = zip(journal.entries, journal.entries.dropFirst())
            .filter { $0.1.operation.isSync }.map(\.0.end)
        let hasty = acknowledgements.map { acknowledgement in
            Acknowledgement(
                content: acknowledgement.content,
                // Where everything costs more it is seen late, and other syncs are between.
                position: beforeSyncs.prefix { $0 < acknowledgement.position }.suffix(costFactor).first ?? 0)
        }
        return RecordedRun(
            journal: journal, sent: sent, acknowledgements: hasty, retentionPosition: retentionPosition)
    }
}
