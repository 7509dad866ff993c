import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("The store's file")
    struct StoreFileTests {
        struct Damage: CustomTestStringConvertible {
            let testDescription: String
            /// What the error says.
            let words: [String]
            let make: @Sendable (URL) throws -> Void
        }

        static let damages = [
            Damage(
                testDescription: "of another program", words: ["not a store of Tray", "name another file"]
            ) {
                try Data("my notes\n".utf8).write(to: $0)
            },
            Damage(testDescription: "of a later version", words: ["version 9", "start a newer assembler"]) {
                try overwrite($0, at: 60, with: [0, 0, 0, 9])
            },
            Damage(testDescription: "without its end", words: ["its end is missing", "assembler verify"]) {
                try #require(truncate($0.path, 10_000) == 0)
            },
            Damage(testDescription: "with pages of zeros", words: ["damaged", "assembler verify"]) {
                try overwrite($0, at: 8_192, with: [UInt8](repeating: 0, count: 24_576))
            },
        ]

        private static func overwrite(_ file: URL, at offset: UInt64, with bytes: [UInt8]) throws {
            let handle = try FileHandle(forUpdating: file)
            try handle.seek(toOffset: offset)
            try handle.write(contentsOf: bytes)
            try handle.close()
        }

        @Test(
            "that cannot be used ends the start (74) with what to do, and stays as it is (FM-22)",
            arguments: damages)
        func refused(damage: Damage) async throws {
            try await Shop.open { shop in
                let file = try shop.moveStoreToItsOwnFolder()
                let first = try await shop.startAssembler()
                try shop.write("order.yaml", echoes("one", "two"))
                try await shop.produce("submit", "order.yaml").expectSuccess()
                try await shop.stop(first)
                try damage.make(file)
                let before = try shop.storeFolderContents()
                let refused = try await shop.finish(try shop.start("assembler"))
                #expect(refused.ending == .exit(74))
                for word in damage.words + [file.path] {
                    #expect(refused.errors.contains(word), "\(refused.errors)")
                }
                #expect(try shop.storeFolderContents() == before)
            }
        }

        struct Mishap: CustomTestStringConvertible {
            let testDescription: String
            let happen: @Sendable (URL) throws -> Void
        }

        static let mishaps = [
            Mishap(testDescription: "removed") { try FileManager.default.removeItem(at: $0) },
            Mishap(testDescription: "removed with its folder") {
                try FileManager.default.removeItem(at: $0.deletingLastPathComponent())
            },
            Mishap(testDescription: "replaced") { file in
                let other = file.deletingLastPathComponent().appending(path: "other")
                try Data("my notes\n".utf8).write(to: other)
                try #require(rename(other.path, file.path) == 0)
            },
        ]

        @Test(
            "removed under the assembler ends it (74), and every order is in a copy (FM-42)",
            arguments: mishaps)
        func displaced(mishap: Mishap) async throws {
            try await Shop.open { shop in
                let file = try shop.moveStoreToItsOwnFolder()
                let assembler = try await shop.startAssembler()
                try shop.write("order.yaml", echoes("one", "two"))
                var orders: [String] = []
                for _ in 0..<3 { orders.append(try await shop.produce("submit", "order.yaml").line) }
                try mishap.happen(file)
                // Whoever comes now is not told that anything is kept.
                let late = try await shop.produce("submit", "order.yaml", "--timeout", "3s")
                #expect(late.ending != .exit(0))
                #expect(try await assembler.end() == .exit(74))
                let copy = "\(file.path).rescued"
                #expect(assembler.errorText.contains(copy))
                #expect(assembler.errorText.contains("move that copy to \(file.path)"))

                // A supervisor starts it again: not with an empty store, which workers would give their results to.
                let again = try await shop.finish(try shop.start("assembler"))
                #expect(again.ending == .exit(74))
                #expect(again.errors.contains(copy) || again.errors.contains("is not a store of Tray"))
                try? FileManager.default.removeItem(at: file)  // only where another file took its place
                try FileManager.default.moveItem(atPath: copy, toPath: file.path)
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                for order in orders {
                    #expect(try await shop.produce("watch", order).ending == .exit(0))
                }
                try await shop.expectSoundStore()
            }
        }
    }
}

extension Shop {
    /// So that a test can see what lies beside it.
    func moveStoreToItsOwnFolder() throws -> URL {
        let file = folder.appending(path: "data/tray.sqlite")
        environment["TRAY_STORE"] = file.path
        return file
    }

    /// The files beside the store and itself, by their names, but for the lock, whose text is for people.
    func storeFolderContents() throws -> [String: Data] {
        let folder = folder.appending(path: "data")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { !$0.hasSuffix(".lock") }
        let contents = try names.map { try Data(contentsOf: folder.appending(path: $0)) }
        return Dictionary(uniqueKeysWithValues: zip(names, contents))
    }
}

extension Finished {
    func expectSuccess() { #expect(ending == .exit(0), "\(errors)") }
}
