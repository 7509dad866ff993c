import Wire

/// What a counter tells of an order of `itemCount` items, which land last to first; `landed` of them have.
struct ScriptedOrder: Sendable {
    let itemCount: Int
    var landed: Int

    var summary: OrderSummary {
        .with {
            $0.status = landed == itemCount ? .complete : .running
            $0.itemCount = UInt32(itemCount)
            $0.doneCount = UInt32(landed)
            $0.lastLanding = UInt32(landed)
        }
    }

    /// At most `countMax` outcomes.
    func outcomes(after landing: Int, countMax: Int = 1_000) -> OrdersMessage.OneOf_Body {
        let last = min(landed, landing + countMax)
        return .outcomes(
            .with {
                $0.summary = summary
                $0.outcomes = (landing..<max(last, landing)).map { earlier in
                    .with {
                        $0.landing = UInt32(earlier + 1)
                        $0.index = UInt32(itemCount - 1 - earlier)
                        $0.status = .done
                        $0.attempts = 1
                        $0.worker = "worker-1"
                        $0.result.kind = .text
                        $0.result.data = .init("result of \(itemCount - 1 - earlier)".utf8)
                        $0.startedAtMs = 1_000
                        $0.finishedAtMs = 2_000
                    }
                }
            })
    }

    /// At most `countMax` slots, all of which look as if they were waiting.
    func tray(from firstIndex: Int, countMax: Int) -> OrdersMessage.OneOf_Body {
        .tray(
            .with {
                $0.summary = summary
                $0.items = (firstIndex..<max(min(firstIndex + countMax, itemCount), firstIndex)).map {
                    index in
                    .with {
                        $0.index = UInt32(index)
                        $0.name = "item-\(index)"
                        $0.station = "echo"
                    }
                }
            })
    }

    /// The answer to whatever is asked of it.
    func answer(_ message: ProducerMessage) -> Counter.Reply {
        switch message.body {
        case .submit(let submit): .answer(.receipt(for: submit))
        case .watch(let watch): .answer(outcomes(after: Int(watch.afterLanding)))
        case .tray(let tray): .answer(self.tray(from: Int(tray.firstIndex), countMax: Int(tray.itemCountMax)))
        default: .silence
        }
    }
}

extension Array where Element == Int {
    /// The indexes of a batch.
    init(_ batch: OutcomeBatch) { self = batch.outcomes.map { Int($0.index) } }
}
