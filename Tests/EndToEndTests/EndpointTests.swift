import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite("An endpoint of the assembler")
    struct EndpointTests {
        enum Transport: CaseIterable { case tcp, ipc }

        @Test(
            "that another one has is refused (78), and the first one does not notice",
            arguments: Transport.allCases)
        func inUse(transport: Transport) async throws {
            try await Shop.open { shop in
                if transport == .ipc { shop.bindFiles() }
                let first = try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                shop.environment["TRAY_STORE"] = shop.folder.appending(path: "other.sqlite").path
                let second = try await shop.finish(try shop.start("assembler"))
                #expect(second.ending == .exit(78))
                #expect(second.errors.contains("another process listens there"), "\(second.errors)")
                #expect(second.errors.contains(try #require(shop.environment["TRAY_ORDERS"])))
                #expect(second.errors.contains("--orders"))

                try shop.write("order.yaml", echoes("one"))
                #expect(try await shop.produce("submit", "order.yaml", "--wait").ending == .exit(0))
                #expect(first.hasEnded == nil)
            }
        }

        @Test("that a killed one left as a file is taken by the next")
        func stale() async throws {
            try await Shop.open { shop in
                shop.bindFiles()
                let first = try await shop.startAssembler()
                try await first.die()
                #expect(FileManager.default.fileExists(atPath: shop.folder.appending(path: "orders").path))
                try await shop.startAssembler()
                try await shop.startWorkers("worker-1")
                try shop.write("order.yaml", echoes("one"))
                #expect(try await shop.produce("submit", "order.yaml", "--wait").ending == .exit(0))
            }
        }

        @Test("that is a file of somebody's is refused (78), and the file stays")
        func foreignFile() async throws {
            try await Shop.open { shop in
                shop.bindFiles()
                let file = try shop.write("orders", "my notes")
                let refused = try await shop.finish(try shop.start("assembler"))
                #expect(refused.ending == .exit(78))
                #expect(refused.errors.contains("it is no socket"))
                #expect(try String(contentsOf: file, encoding: .utf8) == "my notes")
            }
        }
    }
}

extension Shop {
    /// Endpoints that are files in the shop's folder.
    fileprivate func bindFiles() {
        environment["TRAY_ORDERS"] = "ipc://\(folder.path)/orders"
        environment["TRAY_KITCHEN"] = "ipc://\(folder.path)/kitchen"
        environment["TRAY_EVENTS"] = "ipc://\(folder.path)/events"
    }
}
