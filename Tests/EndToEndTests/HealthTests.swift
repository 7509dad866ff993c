import Glibc
import Testing

extension EndToEnd {
    @Suite("assembler health")
    struct HealthTests {
        @Test(
            "is 0 of one that answers, 69 of one that is frozen or gone; it takes the assembler's own settings (FM-40)"
        )
        func lives() async throws {
            try await Shop.open { shop in
                let assembler = try await shop.startAssembler()
                let answer = try await shop.health()
                #expect(answer.ending == .exit(0))
                #expect(answer.output.contains("answers: 0 workers, 0 running orders, 0 open items"))

                assembler.send(SIGSTOP)
                let silence = try await shop.health("--timeout", "300ms")
                #expect(silence.ending == .exit(69))
                let orders = try #require(shop.environment["TRAY_ORDERS"])
                #expect(
                    silence.errors.contains("no assembler answers at \(orders) (waited 300ms)"),
                    "\(silence.errors)")

                assembler.send(SIGCONT)
                #expect(try await shop.health().ending == .exit(0))
                try await assembler.die()
                #expect(try await shop.health("--timeout", "300ms").ending == .exit(69))
            }
        }

        @Test("asks one that binds every address at loopback")
        func everyAddress() async throws {
            try await Shop.open { shop in
                let orders = try #require(shop.environment["TRAY_ORDERS"])
                shop.environment["TRAY_ORDERS"] = orders.replacing("127.0.0.1", with: "0.0.0.0")
                shop.environment["TRAY_INSECURE"] = "true"
                let assembler = try shop.start("assembler")
                try await eventually("its health") { try await shop.health().ending == .exit(0) ? true : nil }
                #expect(assembler.hasEnded == nil)
                shop.environment["TRAY_ORDERS"] = orders
                #expect(try await shop.health().ending == .exit(0))
            }
        }
    }
}

extension Shop {
    fileprivate func health(_ arguments: String...) async throws -> Finished {
        try await finish(try start("assembler", ["health"] + arguments))
    }
}
