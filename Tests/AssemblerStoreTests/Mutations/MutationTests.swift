import AssemblerStore
import Foundation
import Glibc
import Seeded
import Testing

/// Damaged store files by the thousand, each made from a seed and its number alone. With `TRAY_STORE_FILES=100000`
/// as many as that, and `TRAY_STORE_SEED` for others: docs/power-cut.md.
@Suite("Damaged store files", .timeLimit(.minutes(60)))
struct MutationTests {
    static let environment = ProcessInfo.processInfo.environment
    static let fileCount = environment["TRAY_STORE_FILES"].flatMap { Int($0) } ?? 200
    /// The first of them. One alone is looked at in this process, so that a crash says where.
    static let firstFile = environment["TRAY_STORE_FIRST"].flatMap { Int($0) } ?? 0
    static let seed = environment["TRAY_STORE_SEED"].flatMap { UInt64($0) } ?? 1
    /// A process of its own for so many, so that a crash costs no more.
    static let batchFileCount = 2_500
    /// How much more time and memory than usual everything costs here; `scripts/sanitize` sets it.
    static let costFactor = environment["TRAY_COST_FACTOR"].flatMap { Int($0) } ?? 1
    private static let crashCountMax = 20

    @Test(
        "crash nothing, hang nothing, fill no memory, are never believed, and stay as they are when refused (FM-22)"
    )
    func damaged() async throws {
        let kitchen = try Kitchen()
        try FileManager.default.createDirectory(atPath: kitchen.folder, withIntermediateDirectories: true)
        let (begin, progress) = (ContinuousClock.now, "\(kitchen.folder)/progress")
        var (first, crashCount, total) = (MutationTests.firstFile, 0, MutationBatch.Tally())
        if MutationTests.fileCount - first == 1 {
            try MutationBatch(progress: progress, seed: MutationTests.seed).run(first..<first + 1)
        }
        while first < MutationTests.fileCount && crashCount < MutationTests.crashCountMax {
            let (start, end) = (first, min(first + MutationTests.batchFileCount, MutationTests.fileCount))
            let seed = MutationTests.seed
            await #expect(processExitsWith: .success) {
                [progress = progress as String, seed = seed as UInt64, start = start as Int, end = end as Int]
                in
                try MutationBatch(progress: progress, seed: seed).run(start..<end)
            }
            let tally = try MutationBatch.Tally(progress: progress)
            total.add(tally)
            if !tally.isWhole {
                crashCount += 1
                Issue.record("file \(tally.last) of seed \(seed) ended the process that opened it")
            }
            first = max(tally.last + 1, start + 1)
        }
        let elapsed = begin.duration(to: .now)
        print(
            "damaged store files, seed \(MutationTests.seed): \(total.refused + total.opened), "
                + "\(total.refused) refused, \(total.opened) opened, in \(elapsed), "
                + "\(total.peakGrowthKibibytes >> 10) MiB more than at the start at most")
        #expect(total.findings.isEmpty, "\(total.findings.prefix(20).joined(separator: "\n"))")
        #expect(total.peakGrowthKibibytes < MutationTests.costFactor * 256 << 10)
        // A few may all be of one kind.
        if MutationTests.fileCount - MutationTests.firstFile >= 50 {
            #expect(total.refused > 0 && total.opened > 0)
        }
    }

    @Test(
        "that only writing finds damaged, or without commits or tables, stay as they are when refused (FM-22)",
        arguments: [
            3_836, 12_382, 16_172, 25_622, 30_050, 32_475, 36_502, 37_184, 40_266, 44_204, 44_381, 47_843,
            51_894, 71_769, 82_261,
        ])
    func damagedForWriting(number: Int) throws {
        let (ending, findings) = try MutationBatch.examine(number, ofSeed: 1)
        #expect(ending == .refused)
        #expect(findings == [])
    }
}

/// One process's share.
struct MutationBatch {
    /// A file of lines, written as it goes: the last thing that a process that crashes leaves behind.
    let progress: String
    let seed: UInt64

    /// Longest time for one file, in seconds: `SIGALRM` ends the process after it.
    private static let secondsMax = 10 * UInt32(MutationTests.costFactor)

    func run(_ numbers: Range<Int>) throws {
        let kitchen = try Kitchen()
        let bases = try MutationBatch.bases()
        try FileManager.default.createDirectory(
            at: URL(filePath: kitchen.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        unlink(progress)
        let log = fopen(progress, "w")
        defer { fclose(log) }
        signal(SIGALRM, SIG_DFL)
        let before = try MutationBatch.peakKibibytes
        for number in numbers {
            fputs("begun \(number)\n", log)
            fflush(log)
            alarm(MutationBatch.secondsMax)
            let (ending, findings) = try examine(number, bases, kitchen)
            alarm(0)
            for finding in findings { fputs("finding \(number) of seed \(seed): \(finding)\n", log) }
            fputs("\(ending) \(number)\n", log)
        }
        fputs("growth \(try MutationBatch.peakKibibytes - before)\n", log)
    }

    static func examine(_ number: Int, ofSeed seed: UInt64) throws -> (MutatedStore.Ending, [String]) {
        let kitchen = try Kitchen()
        try FileManager.default.createDirectory(
            at: URL(filePath: kitchen.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        return try MutationBatch(progress: "", seed: seed).examine(number, try bases(), kitchen)
    }

    private func examine(
        _ number: Int, _ bases: [Base], _ kitchen: Kitchen
    ) throws -> (MutatedStore.Ending, [String]) {
        var generator = SplitMix(seed: seed &* 0x2545_f491_4f6c_dd1d &+ UInt64(number))
        let base = bases[Int.random(in: 0..<bases.count, using: &generator)]
        var (bytes, content): (StoreBytes, MutatedStore.Content?) = (base.bytes, base.content)
        let way = Int.random(in: 0..<8, using: &generator)
        if way < 5 {
            var mutator = StoreMutator(generator: generator)
            mutator.mutate(&bytes)
        }
        try bytes.write(to: kitchen.path)
        if way >= 5 {
            content = nil
            var mad = MadStores(generator: generator)
            if way == 5 { try mad.commitNonsense(to: kitchen.path) } else { try mad.tamper(kitchen.path) }
        }
        var store = MutatedStore(
            path: kitchen.path, content: content, mayMiss: bytes.log != base.bytes.log)
        let ending = try store.run()
        return (ending, store.findings)
    }

    struct Base {
        let bytes: StoreBytes
        let content: MutatedStore.Content
    }

    /// A store that was closed, and one that was killed, with its log.
    static func bases() throws -> [Base] {
        try [false, true].map { isKilled in
            let kitchen = try Kitchen()
            let store = try kitchen.open()
            // A file's damage rests on how long the log is: one commit, as of a start, then what fills the store.
            try kitchen.tamper("UPDATE assembler_start SET at_ms = at_ms + 1")
            try MutatedStore.fill(store)
            let content = try MutatedStore.content(of: store)
            if !isKilled { try store.close() }
            return Base(bytes: try StoreBytes(path: kitchen.path), content: content)
        }
    }

    /// The most memory that this process has ever held at once. `getrusage` would count what its parent held.
    private static var peakKibibytes: Int {
        get throws {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            return status.firstMatch(of: /VmHWM:\s+(\d+) kB/).flatMap { Int($0.1) } ?? 0
        }
    }

    struct Tally {
        var (refused, opened, last, peakGrowthKibibytes) = (0, 0, -1, 0)
        var findings: [String] = []
        /// Its process came to its end.
        var isWhole = false

        init() {}

        init(progress: String) throws {
            for line in try String(contentsOfFile: progress, encoding: .utf8).split(separator: "\n") {
                let number = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                switch line.prefix(while: { $0 != " " }) {
                case "begun": last = number
                case "refused": refused += 1
                case "opened": opened += 1
                case "growth": (peakGrowthKibibytes, isWhole) = (number, true)
                default: findings.append(String(line))
                }
            }
        }

        mutating func add(_ other: Tally) {
            refused += other.refused
            opened += other.opened
            peakGrowthKibibytes = max(peakGrowthKibibytes, other.peakGrowthKibibytes)
            findings += other.findings
        }
    }
}
