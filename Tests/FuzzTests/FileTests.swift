import Foundation
import Harnesses
import Service
import Testing
import TrayProducer
import Wire

@Suite("An order that is written in a file")
struct OrderTextTests {
    @Test("is read as it was meant, in YAML and in JSON", arguments: [false, true])
    func orders(isJSON: Bool) throws {
        for seed in 0..<1_500 {
            var generator = Generator(seed: UInt64(seed))
            let order = generator.orderText(isJSON: isJSON)
            let document = try Document.parse(Array(order.text.utf8), file: "order")
            let read = try OrderReader(besides: "order").order(from: document.root)
            try #require(OrderTextTests.isSame(read, order.expected), "seed \(seed): \(order.text)")
        }
    }

    private static func isSame(_ left: NewOrder, _ right: NewOrder) -> Bool {
        let isSameHead =
            left.name == right.name && left.key == right.key && left.failure == right.failure
            && left.deadline == right.deadline && left.enough == right.enough
            && left.maxParallel == right.maxParallel && left.priority == right.priority
            && left.notBefore == right.notBefore
        return isSameHead && left.items.count == right.items.count
            && zip(left.items, right.items).allSatisfy { left, right in
                left.name == right.name && left.station == right.station && left.payload == right.payload
                    && left.timeout == right.timeout && left.attemptsMax == right.attemptsMax
            }
    }
}

@Suite("A duration")
struct DurationTests {
    @Test("is read as it is written")
    func roundTrip() {
        var generator = Generator(seed: 8)
        for _ in 0..<5_000 {
            let duration = Duration.nanoseconds(Int64(generator.next() >> UInt64(generator.int(1...63))))
            let text = DurationText.format(duration)
            #expect(DurationText.parse(text) == duration, "\(text)")
        }
    }

    @Test("is what was meant")
    func meaning() {
        var generator = Generator(seed: 9)
        for _ in 0..<2_000 {
            let (text, duration) = generator.durationText()
            #expect(DurationText.parse(text) == duration, "\(text)")
        }
    }

    @Test(
        "is nothing else",
        arguments: ["", "s", "1", "1.s", ".5s", "-1s", "+1s", "1 s", "1e3s", "٣s", "1.0000000001s"])
    func nothing(text: String) { #expect(DurationText.parse(text) == nil) }
}
