import Foundation
import Testing
import Wire

extension EndToEnd {
    @Suite("An assembler that lies")
    struct LyingAssemblerTests {
        private static let order = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

        /// Every number as large as its field.
        private static func lie(_ message: ProducerMessage, itemCount: UInt32) -> [OrdersMessage.OneOf_Body] {
            let summary = OrderSummary.with {
                $0.order = OrderID(order)?.data ?? Data()
                $0.name = "lies\u{1B}[2J\n"
                $0.status = .complete
                $0.itemCount = itemCount
                ($0.doneCount, $0.failedCount, $0.cancelledCount) = (.max, .max, .max)
                ($0.expiredCount, $0.poisonedCount, $0.waitingCount, $0.leasedCount) = (
                    .max, .max, .max, .max
                )
                ($0.acceptedAtMs, $0.finishedAtMs, $0.elapsedUs) = (.max, .max, .max)
                $0.lastLanding = min(itemCount, 1)
            }
            let outcome = Outcome.with {
                ($0.landing, $0.index, $0.attempts) = (1, .max, .max)
                $0.status = .UNRECOGNIZED(77)
                ($0.startedAtMs, $0.finishedAtMs) = (.max, 1)
                $0.error.kind = .UNRECOGNIZED(99)
            }
            let slot = TrayItem.with {
                ($0.attempts, $0.startedAtMs) = (.max, .max)
                $0.status = .UNRECOGNIZED(-1)
            }
            switch message.body {
            case .watch:
                return [.outcomes(.with { ($0.summary, $0.outcomes) = (summary, [outcome]) })]
            case .tray(let tray):
                return [
                    .tray(.with { ($0.summary, $0.items) = (summary, tray.itemCountMax > 0 ? [slot] : []) })
                ]
            case .cancel: return [.tray(.with { $0.summary = summary })]
            case .list: return [.list(.with { $0.orders = [summary] })]
            case .workers: return [.workers(.with { $0.workers = [worker] })]
            case .stations: return [.stations(.with { $0.stations = [station] })]
            case .ping:
                return [
                    .pong(
                        .with {
                            ($0.incarnation, $0.runningOrderCount, $0.openItemCount) = (.max, .max, .max)
                            $0.workerCount = .max
                            $0.counters = counters
                        })
                ]
            case .submit(let submit):
                return [.receipt(.with { ($0.order, $0.status) = (submit.order, .UNRECOGNIZED(1_000)) })]
            case .hello, .page, nil: return []
            }
        }

        private static let worker = WorkerState.with {
            $0.name = "\u{7}"
            ($0.session, $0.connectedAtMs, $0.silentMs, $0.doneCount, $0.failedCount) = (
                .max, .max, .max, .max, .max
            )
            $0.stations = [
                .with {
                    ($0.capacity, $0.leasedCount, $0.stoppingCount) = (.max, .max, .max)
                    ($0.onProbation, $0.failuresInRow, $0.pauseMs) = (true, .max, .max)
                    $0.lastFailure = "lies\u{1B}[2J\n"
                }
            ]
        }

        private static let station = StationState.with {
            ($0.waitingCount, $0.leasedCount, $0.workerCount, $0.capacity) = (.max, .max, .max, .max)
            $0.suspectCount = .max
        }

        private static let counters = Counters.with {
            ($0.lateResultCount, $0.malformedCount, $0.handshakeFailedCount) = (.max, .max, .max)
            ($0.refusedCount, $0.workerLostCount, $0.attemptFailedCount) = (.max, .max, .max)
            ($0.attemptLostCount, $0.poisonedCount) = (.max, .max)
        }

        private static let commands: [[String]] = [
            ["status", order], ["results", order], ["watch", order], ["watch", order, "--follow"],
            ["cancel", order],
            ["list"], ["workers"], ["stations"], ["ping"], ["submit", "order.yaml", "--wait"],
            ["submit", "order.yaml"],
        ]

        @Test(
            "about its numbers makes no table fall over, for people or for programs", arguments: commands,
            ["", "--json"])
        func numbers(command: [String], form: String) async throws {
            try await Shop.open { shop in
                let liar = try FakeAssembler { LyingAssemblerTests.lie($0, itemCount: 1) }
                try shop.write("order.yaml", echoes("one"))
                let arguments = command + (form.isEmpty ? [] : [form]) + ["--orders", liar.endpoint]
                let finished = try await shop.finish(
                    try shop.start("producer", arguments), within: .seconds(10))
                #expect([.exit(0), .exit(1), .exit(70)].contains(finished.ending), "\(finished.errors)")
                #expect(!finished.output.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
                liar.close()
            }
        }

        @Test("whose list of orders has no end is not believed", arguments: ["", "--json"])
        func endlessList(form: String) async throws {
            try await Shop.open { shop in
                let liar = try FakeAssembler { message in
                    LyingAssemblerTests.lie(message, itemCount: 1).map { body in
                        guard case .list(var list) = body else { return body }
                        list.more = true
                        return .list(list)
                    }
                }
                let arguments = ["list", "--orders", liar.endpoint] + (form.isEmpty ? [] : [form])
                let finished = try await shop.finish(
                    try shop.start("producer", arguments), within: .seconds(10))
                #expect(finished.ending == .exit(70))
                #expect(finished.errors.contains("does not go from newer ids to older ones"))
                liar.close()
            }
        }

        @Test("of an order without end is not believed", arguments: ["status", "results", "watch"])
        func endless(command: String) async throws {
            try await Shop.open { shop in
                let liar = try FakeAssembler { LyingAssemblerTests.lie($0, itemCount: .max) }
                let finished = try await shop.produce(
                    command, LyingAssemblerTests.order, "--orders", liar.endpoint)
                #expect(finished.ending == .exit(70))
                #expect(finished.errors.contains("an order of 4294967295 items"))
                liar.close()
            }
        }
    }
}
