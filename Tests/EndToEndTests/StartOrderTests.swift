import Testing

extension EndToEnd {
    @Suite("Nobody has to start first")
    struct StartOrderTests {
        enum Role: String, CustomTestStringConvertible {
            case assembler, worker, producer

            var testDescription: String { rawValue }
        }

        static let orders: [[Role]] = [
            [.assembler, .worker, .producer], [.assembler, .producer, .worker],
            [.worker, .assembler, .producer],
            [.worker, .producer, .assembler], [.producer, .assembler, .worker],
            [.producer, .worker, .assembler],
        ]

        @Test("an order is complete, whoever came when", arguments: orders)
        func start(order: [Role]) async throws {
            try await Shop.open { shop in
                try shop.write("order.yaml", echoes("one", "two"))
                var producer: Running?
                for role in order {
                    switch role {
                    case .assembler: try shop.start("assembler")
                    case .worker: try shop.startWorker("worker-1")
                    case .producer:
                        producer = try shop.start(
                            "producer", "submit", "order.yaml", "--wait", "--json", "--timeout", "20s")
                    }
                    try await Task.sleep(for: .milliseconds(300))  // so that each is alone for a while
                }
                let served = try await shop.finish(try #require(producer))
                #expect(served.ending == .exit(0))
                #expect(try served.report().items.map(\.result?.text) == ["one", "two"])
            }
        }
    }
}
