import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("A full disk", .enabled(if: Disk.isPossible, Disk.reason))
    struct FullDiskTests {
        @Test("ends the assembler (74), the next one serves reads, and with room everything goes on (FM-21)")
        func fullWhileRunning() async throws {
            try await Shop.open { shop in
                try await Disk.open(mebibytes: 64, in: shop) { disk in
                    shop.environment["TRAY_DISK_RESERVE_MIB"] = "16"
                    let assembler = try await shop.startAssembler()
                    // A small order with large results: the room that the store has made for the one, and can use
                    // again after a checkpoint, is not enough for the others.
                    try shop.write(
                        "worker.yaml",
                        "stations:\n  bulk: {handler: command, command: [sh, -c, 'yes | head -c 300000']}\n")
                    try shop.write(
                        "order.yaml", "items:\n" + String(repeating: "  - {station: bulk}\n", count: 40))
                    let order = try await shop.produce("submit", "order.yaml").line
                    let watcher = try shop.start("producer", "watch", order, "--follow", "--json")
                    try disk.fill()
                    let worker = try shop.startWorker("worker-1")
                    #expect(try await assembler.end() == .exit(74))
                    #expect(assembler.errorText.contains("no room for the store \(disk.folder.path)"))
                    #expect(assembler.errorText.contains("nothing that was acknowledged is lost"))

                    let reading = try await shop.startAssembler()
                    try await expectReadsOnly(shop, order, landed: try watcher.landings())
                    #expect(reading.hasEnded == nil && worker.hasEnded == nil)

                    try disk.makeRoom()
                    #expect(try await watcher.end(within: .seconds(40)) == .exit(0))
                    #expect(try watcher.landings() == Array(1...40), "each once, in their order")
                    let report = try await shop.produce("status", order, "--json").report()
                    #expect(report.status == "complete")
                    #expect(report.items.allSatisfy { $0.attempts == 1 }, "adopted, not run again")
                    try await shop.stop(reading)
                    try await shop.expectSoundStore()
                }
            }
        }

        /// What was accepted and has landed can be read, and nothing can be changed.
        private func expectReadsOnly(_ shop: Shop, _ order: String, landed: [Int]) async throws {
            let report = try await shop.produce("status", order, "--json").report()
            #expect(report.status == "running")
            #expect(try #require(report.counts["done"]) >= landed.count)
            #expect(try await shop.orders().map { $0["order"] as? String } == [order])
            let results = try await shop.produce("results", order, "--json")
            #expect(results.ending == .exit(0))
            try shop.write("small.yaml", echoes("one"))
            for command in [["submit", "small.yaml"], ["cancel", order]] {
                let refused = try await shop.finish(
                    try shop.start("producer", command + ["--timeout", "1500ms"]))
                #expect(refused.ending == .exit(75), "\(command)")
                #expect(refused.errors.contains("no room"), "\(refused.errors)")
            }
        }

        @Test("below the reserve refuses new orders (75), and takes the results of those it has")
        func belowReserve() async throws {
            try await Shop.open { shop in
                try await Disk.open(mebibytes: 48, in: shop) { disk in
                    shop.environment["TRAY_DISK_RESERVE_MIB"] = "32"
                    try await shop.startAssembler()
                    try shop.writeLargeEchoes("order.yaml", count: 4, kibibytes: 300)
                    let order = try await shop.produce("submit", "order.yaml").line
                    try disk.fill(leavingMebibytes: 16)
                    try shop.write("small.yaml", echoes("one"))
                    let refused = try await eventually("a refusal") {
                        let answer = try await shop.produce("submit", "small.yaml", "--timeout", "800ms")
                        return answer.ending == .exit(0) ? nil : answer
                    }
                    #expect(refused.ending == .exit(75))
                    #expect(refused.errors.contains("nearly full"))

                    try await shop.startWorkers("worker-1")
                    #expect(try await shop.produce("watch", order, "--json").report().status == "complete")
                    try disk.makeRoom()
                    let taken = try await shop.produce("submit", "small.yaml", "--wait")
                    #expect(taken.ending == .exit(0))
                }
            }
        }

        @Test("at the very first start serves an empty store, and becomes an assembler once there is room")
        func firstStart() async throws {
            try await Shop.open { shop in
                try await Disk.open(mebibytes: 32, in: shop) { disk in
                    shop.environment["TRAY_DISK_RESERVE_MIB"] = "8"
                    try disk.fill()
                    let assembler = try await shop.startAssembler()
                    #expect(try await shop.orders().isEmpty)
                    let worker = try shop.startWorker("worker-1")
                    try await eventually("the worker's refusal") {
                        worker.errorText.contains("no room") ? true : nil
                    }
                    try disk.makeRoom()
                    try shop.write("small.yaml", echoes("one"))
                    let taken = try await shop.produce("submit", "small.yaml", "--wait")
                    #expect(taken.ending == .exit(0))
                    try await shop.stop(assembler)
                    try await shop.expectSoundStore()
                }
            }
        }

        @Test("lets an assembler that only reads be stopped (0), and leaves every file as it was")
        func stopWhileReading() async throws {
            try await Shop.open { shop in
                try await Disk.open(mebibytes: 32, in: shop) { disk in
                    shop.environment["TRAY_DISK_RESERVE_MIB"] = "8"
                    let first = try await shop.startAssembler()
                    try shop.write("order.yaml", echoes("one", "two"))
                    let order = try await shop.produce("submit", "order.yaml").line
                    try await first.die()
                    try disk.fill()
                    let before = try disk.contents()
                    let second = try await shop.startAssembler()
                    #expect(try await shop.produce("status", order, "--json").report().items.count == 2)
                    try await shop.stop(second)
                    #expect(try disk.contents() == before)
                }
            }
        }

        @Test("is no reason to end badly: an assembler that has nothing to write stops with 0")
        func stopWhenFull() async throws {
            try await Shop.open { shop in
                try await Disk.open(mebibytes: 64, in: shop) { disk in
                    shop.environment["TRAY_DISK_RESERVE_MIB"] = "16"
                    let assembler = try await shop.startAssembler()
                    try shop.writeLargeEchoes("order.yaml", count: 10, kibibytes: 300)
                    let order = try await shop.produce("submit", "order.yaml").line
                    try disk.fill()
                    try await shop.stop(assembler)
                    try disk.makeRoom()
                    try await shop.startAssembler()
                    #expect(
                        try await shop.produce("status", order, "--json").report().counts["waiting"] == 10)
                }
            }
        }

        @Test("that is read-only ends a start (74), changes nothing, and writable again loses nothing")
        func readOnly() async throws {
            try await Shop.open { shop in
                try await Disk.open(mebibytes: 32, in: shop) { disk in
                    shop.environment["TRAY_DISK_RESERVE_MIB"] = "8"
                    let first = try await shop.startAssembler()
                    try shop.write("order.yaml", echoes("one"))
                    let order = try await shop.produce("submit", "order.yaml").line
                    try await first.die()
                    let before = try disk.contents()
                    try disk.remount(readOnly: true)
                    let refused = try await shop.finish(try shop.start("assembler"))
                    #expect(refused.ending == .exit(74))
                    #expect(refused.errors.contains("cannot be written"))
                    #expect(refused.errors.contains("mounted for writing"))
                    #expect(try disk.contents() == before)

                    try disk.remount(readOnly: false)
                    try await shop.startAssembler()
                    try await shop.startWorkers("worker-1")
                    #expect(try await shop.produce("watch", order).ending == .exit(0))
                }
            }
        }
    }
}

extension Disk {
    /// Its files by their names, but for the filler and the lock, whose text is for people.
    func contents() throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0 != "filler" && !$0.hasSuffix(".lock") }
        let contents = try names.map { try Data(contentsOf: folder.appending(path: $0)) }
        return Dictionary(uniqueKeysWithValues: zip(names, contents))
    }
}

extension Running {
    /// The landings that a `producer watch --follow --json` has printed so far, in its order.
    func landings() throws -> [Int] {
        let lines = outputText.split(separator: "\n", omittingEmptySubsequences: true)
        // The last line may be half written.
        let whole = outputText.hasSuffix("\n") ? lines[...] : lines.dropLast()
        return try whole.compactMap {
            try (JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["landing"] as? Int
        }
    }
}

extension Shop {
    /// An order file of items that give back so much each.
    func writeLargeEchoes(_ name: String, count: Int, kibibytes: Int) throws {
        try write("payload", String(repeating: "x", count: kibibytes << 10))
        try write(
            name,
            "items:\n" + (0..<count).map { _ in "  - {station: echo, payload_file: payload}\n" }.joined())
    }

    /// Tells an assembler to stop, which it does in good order.
    func stop(_ assembler: Running) async throws {
        assembler.send(SIGTERM)
        #expect(try await assembler.end() == .exit(0))
    }

    /// `assembler verify` finds nothing wrong.
    func expectSoundStore() async throws {
        let store = try #require(environment["TRAY_STORE"])
        let verified = try await finish(try start("assembler", "verify", store))
        #expect(verified.ending == .exit(0), "\(verified.output)")
    }
}
