import Foundation
import Glibc
import Testing

/// The assembler's store on a disk that loses what was not synced. docs/power-cut.md says what is tried.
///
/// One real run is recorded; what a disk may hold at every point of it is opened with the real store.
@Suite(
    "A power cut", .serialized, .timeLimit(.minutes(30)),
    .enabled(if: JournaledDisk.obstacle == nil, "\(JournaledDisk.obstacle ?? "")"))
struct PowerCutTests {
    private static let seed =
        ProcessInfo.processInfo.environment["TRAY_POWER_CUT_SEED"].flatMap { UInt64($0) } ?? 1
    /// How many states of the disk are looked at, and how many times the run's orders are repeated.
    private static let stateCount =
        ProcessInfo.processInfo.environment["TRAY_POWER_CUT_STATES"].flatMap { Int($0) } ?? 120
    private static let roundCount =
        ProcessInfo.processInfo.environment["TRAY_POWER_CUT_ROUNDS"].flatMap { Int($0) } ?? 1

    @Test("loses nothing that was acknowledged, at whatever moment it comes (FM-21, FM-22)")
    func nothingIsLost() async throws {
        try await Shop.open { shop in
            let run = try await PowerCutScenario.record(in: shop, roundCount: PowerCutTests.roundCount)
            #expect(run.acknowledgements.count > 50 && run.journal.entries.count > 300)
            try PowerCutTests.withFolder { folder in
                let trial = PowerCutTrial(
                    run: run, seed: PowerCutTests.seed, stateCountMax: PowerCutTests.stateCount)
                let result = try trial.result(in: folder)
                print(
                    "power cuts, seed \(PowerCutTests.seed): \(run.journal.entries.count) operations, \(result.text)"
                )
                #expect(result.findings.isEmpty, "\(result.places.joined(separator: "\n"))")
                #expect(result.stateCount > PowerCutTests.stateCount / 3)

                // What finds nothing has to be able to find something.
                for (name, lie) in [
                    ("a disk that does not sync", run.onLyingDisk()),
                    ("acknowledgements before the sync", run.withHastyAcknowledgements()),
                ] {
                    let lied = try PowerCutTrial(run: lie, seed: 1, stateCountMax: 60).result(in: folder)
                    print("  \(name): \(lied.text)")
                    #expect(lied.findings.contains { $0.kind == .lost }, "\(name) was not found out")
                }
            }
        }
    }

    @Test("finds a new store's folders synced before there is a table in it (FM-21)")
    func folders() async throws {
        try await Shop.open { shop in
            let journal = try await JournaledDisk.open(in: shop, syncMicroseconds: 0) { _ in
                try await shop.stop(try await shop.startAssembler())
            }
            let operations = journal.entries.map(\.operation)
            let log = try #require(
                operations.lazy.compactMap { operation -> Journal.FileNumber? in
                    guard case .created(let file, let name) = operation else { return nil }
                    return name == "\(JournaledDisk.storeName)-wal" ? file : nil
                }.first)
            let firstTable = try #require(
                operations.firstIndex { if case .written(log, _, _) = $0 { true } else { false } })
            let synced = operations[..<firstTable].compactMap { operation -> String? in
                guard case .folderSynced(let name) = operation else { return nil }
                return name
            }
            for folder in ["/kitchen/store", "/kitchen", "/"] {
                #expect(synced.contains(folder), "\(folder) of \(synced)")
            }
        }
    }

    /// A folder in memory where there is one: thousands of disks are written to it.
    private static func withFolder(_ body: (URL) throws -> Void) throws {
        let memory = URL(filePath: "/dev/shm")
        let parent = access(memory.path, W_OK) == 0 ? memory : FileManager.default.temporaryDirectory
        let folder = parent.appending(path: "tray-power-cut-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }  // a leftover harms nobody
        try body(folder)
    }
}

/// What happens before the power is cut: a store's first start, orders, results, a crash, a checkpoint,
/// stops and starts, and the end of orders' retention.
enum PowerCutScenario {
    static func record(in shop: Shop, roundCount: Int) async throws -> RecordedRun {
        try shop.write(
            "worker.yaml",
            """
            stations:
              echo: {handler: echo, capacity: 100}
              fail: {handler: fail, capacity: 100}
              slow: {handler: command, command: [sh, -c, 'sleep 0.1; cat'], capacity: 3}
            """)
        var sent = SentOrders()
        var retentionPosition = Int.max
        var acknowledgements: [Acknowledgement] = []
        let journal = try await JournaledDisk.open(in: shop, syncMicroseconds: 3_000) { disk in
            let ledger = disk.ledger()
            let reading = Task { await ledger.run() }
            defer { reading.cancel() }
            var assembler = try await shop.startAssembler()
            try await shop.startWorkers("worker-1")
            for round in 0..<roundCount {
                let first = try await shop.submit(["a\(round)", "b\(round)"], &sent, ledger)
                try await shop.finish(watching: first)
                let second = try await shop.submit(["c\(round)", "d\(round)"], &sent, ledger)
                try await Task.sleep(for: .milliseconds(150))
                try await assembler.die()
                assembler = try await shop.startAssembler()
                try await shop.finish(watching: second)
                try await disk.checkpoint { try await shop.submitMany("e\(round)", &sent, ledger) }
                try await shop.finish(watching: try await shop.submit(["f\(round)"], &sent, ledger))
                try await shop.stop(assembler)
                assembler = try await shop.startAssembler()
            }
            let running = try await shop.submit(["last"], &sent, ledger)
            try await shop.finish(watching: running)
            try await shop.stop(assembler)
            retentionPosition = disk.journalByteCount
            shop.environment["TRAY_RETENTION"] = "1s"
            try await Task.sleep(for: .milliseconds(1_100))
            assembler = try await shop.startAssembler()
            try await eventually("the end of the orders") { try await shop.orders().isEmpty ? true : nil }
            try await shop.stop(assembler)
            reading.cancel()
            await reading.value
            acknowledgements = await ledger.acknowledgements
            #expect(await ledger.unknownLines == [])
        }
        return RecordedRun(
            journal: journal, sent: sent, acknowledgements: acknowledgements,
            retentionPosition: retentionPosition)
    }
}

extension JournaledDisk {
    fileprivate func ledger() -> Ledger {
        let path = journal.path
        return Ledger {
            var status = stat()
            return stat(path, &status) == 0 ? Int(status.st_size) : 0
        }
    }

    /// Runs `body`, and waits until what it committed has been written from the log into the store's file.
    fileprivate func checkpoint(_ body: () async throws -> Void) async throws {
        let store = folder.path + JournaledDisk.storeName
        func byteCount() -> Int {
            var status = stat()
            return stat(store, &status) == 0 ? Int(status.st_size) : 0
        }
        let before = byteCount()
        try await body()
        try await eventually("a checkpoint") { byteCount() > before ? true : nil }
    }
}

extension Shop {
    /// Submits orders of these names, all at once, and begins to watch them. One item of each fails.
    fileprivate func submit(
        _ names: [String], _ sent: inout SentOrders, _ ledger: Ledger
    ) async throws -> [Running] {
        var producers: [Running] = []
        for name in names {
            let texts = (0..<8).map { "\(name), item \($0), \(String(repeating: "x", count: $0 * 300))." }
            sent.results[name] = texts.enumerated().map { $0.offset == 5 ? nil : $0.element }
            let items = texts.enumerated().map { index, text in
                let station = index == 5 ? "fail" : index.isMultiple(of: 2) ? "echo" : "slow"
                return "  - {station: \(station), name: \(name)/\(index), max_attempts: 1, "
                    + "payload_base64: \(Data(text.utf8).base64EncodedString())}\n"
            }
            try write("\(name).yaml", "name: \(name)\nitems:\n\(items.joined())")
            producers.append(try start("producer", "submit", "\(name).yaml"))
        }
        var watchers: [Running] = []
        for producer in producers { await ledger.follow(producer.output) }
        for producer in producers {
            let ended = try await finish(producer)
            #expect(ended.ending == .exit(0), "\(ended.errors)")
            watchers.append(try start("producer", "watch", ended.line, "--follow", "--json"))
        }
        for watcher in watchers { await ledger.follow(watcher.output) }
        return watchers
    }

    /// Submits so many orders that a checkpoint is due.
    fileprivate func submitMany(_ prefix: String, _ sent: inout SentOrders, _ ledger: Ledger) async throws {
        let names = (0..<45).map { "\(prefix)-\($0)" }
        for name in names { sent.results[name] = [name] }
        let orders = names.map { name in
            let payload = Data(name.utf8).base64EncodedString()
            return "  \(name):\n    items: [{station: echo, name: \(name)/0, payload_base64: \(payload)}]\n"
        }
        try write("many.yaml", "orders:\n\(orders.joined())")
        let producer = try start("producer", ["order", "--menu", "many.yaml"] + names)
        await ledger.follow(producer.output)
        let ended = try await finish(producer)
        #expect(ended.ending == .exit(0), "\(ended.errors)")
    }

    fileprivate func finish(watching watchers: [Running]) async throws {
        for watcher in watchers {
            let ended = try await finish(watcher)
            #expect(ended.ending == .exit(1), "\(ended.errors)")
        }
    }
}
