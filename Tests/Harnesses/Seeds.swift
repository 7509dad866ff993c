import Foundation
import Wire

extension Harness {
    /// Inputs to begin with, made by the encoders that the programs use.
    package func seeds(count: Int) -> [[UInt8]] {
        (0..<count).map { index in
            var generator = Generator(seed: UInt64(index))
            return seed(&generator)
        }
    }

    private func seed(_ generator: inout Generator) -> [UInt8] {
        switch name {
        case "frames": Records.joined((0..<8).map { _ in generator.frameRecord() })
        case "assembler": Records.joined(generator.assemblerRecords())
        case "worker":
            Records.joined(
                [(9, []), (4, Harness.workerGreeting)] + (0..<20).map { _ in generator.workerRecord() })
        case "client":
            Records.joined(
                [(9, []), (3, Harness.clientGreeting)] + (0..<20).map { _ in generator.clientRecord() })
        case "documents": generator.document()
        case "orders": Array(generator.orderText(isJSON: generator.bool()).text.utf8)
        default: Records.joined((0..<6).map { _ in generator.wordRecord() })
        }
    }

    private static let workerGreeting = Frames.encode(
        KitchenMessage.with {
            $0.welcome = .with {
                ($0.version, $0.session, $0.heartbeatIntervalMs, $0.heartbeatLimit) = (1, 1, 500, 4)
            }
        })[1]

    private static let clientGreeting = Frames.encode(
        OrdersMessage.with {
            $0.request = 1
            $0.welcome.version = 1
        })[1]
}

extension Generator {
    fileprivate typealias Raw = (control: UInt8, bytes: [UInt8])

    fileprivate mutating func frameRecord() -> Raw {
        switch int(0...3) {
        case 0: (8, Frames.encode(workerMessage())[1])
        case 1: (9, Frames.encode(kitchenMessage())[1])
        case 2: (10, Frames.encode(producerMessage())[1])
        default: (11, Frames.encode(ordersMessage())[1])
        }
    }

    /// Both sides say hello first, or nothing else would be heard.
    fileprivate mutating func assemblerRecords() -> [Raw] {
        let hello = WorkerMessage.with {
            $0.hello.versions = Frames.versions
            $0.hello.stations = ["a", "grill"].map { name in
                .with { ($0.station, $0.capacity) = (name, 4) }
            }
        }
        let greeting = ProducerMessage.with {
            $0.request = 1
            $0.hello.versions = Frames.versions
        }
        let beginning: [Raw] = [
            (8, Frames.encode(hello)[1]), (9, Frames.encode(hello)[1]), (12, Frames.encode(greeting)[1]),
        ]
        return beginning
            + (0..<24).map { _ in
                let (connection, open) = (UInt8(int(0...3)), once(in: 6) ? UInt8(0x80) : 0)
                return switch int(0...8) {
                case 0: (24 | UInt8(int(0...7)) | open, [UInt8(int(0...7)), UInt8(int(0...255))])
                case 1: (connection | open, Frames.encode(workerMessage())[1])
                case 2: (4 | connection | open, Frames.encode(producerMessage())[1])
                case 3...5: (8 | UInt8(int(0...1)) | open, Frames.encode(workerMessage())[1])
                default: (12 | open, Frames.encode(producerMessage())[1])
                }
            }
    }

    fileprivate mutating func workerRecord() -> Raw {
        let control = UInt8(int(0...15)) | (once(in: 6) ? 0x80 : 0)
        return control & 15 <= 8 ? (control, Frames.encode(kitchenMessage())[1]) : (control, bytes(atMost: 3))
    }

    fileprivate mutating func clientRecord() -> Raw {
        let control = UInt8(int(0...15)) | (once(in: 6) ? 0x80 : 0)
        return control & 15 <= 8 ? (control, Frames.encode(ordersMessage())[1]) : (control, bytes(atMost: 3))
    }

    fileprivate mutating func document() -> [UInt8] {
        switch int(0...5) {
        case 0: [1] + Array(menuText().utf8)
        case 1: [2] + Array(stationsText().utf8)
        case 2: [3] + Array(orderText(isJSON: bool()).text.utf8)
        default: [0] + Array(orderText(isJSON: bool()).text.utf8)
        }
    }

    private mutating func menuText() -> String {
        let order = orderText(isJSON: true).text
        return
            "stations:\n  grill: {timeout: 1m, max_attempts: 2}\norders:\n  lunch: \(order)\n  tea: \(order)\n"
    }

    private mutating func stationsText() -> String {
        "stations:\n"
            + list(atMost: 4) { generator in
                let handler = generator.pick(["sleep", "echo", "fail", "command", "comand"])
                let more =
                    handler == "command" ? ", command: [cat, \"{payload}\"], output: json, grace: 1s" : ""
                let name = generator.pick(["a", "b", "c.d", "e"])
                let capacity = generator.int(0...9)
                return "  \(name): {handler: \(handler), capacity: \(capacity), timeout: 10s\(more)}\n"
            }.joined()
    }

    fileprivate mutating func wordRecord() -> Raw {
        let control = UInt8(int(0...255))
        let words: [String] =
            switch control % 11 {
            case 0:
                [
                    "250ms", "1.5s", "10m", "24h", "7d", "106751d", "106752d", "-3s", "0.000000001s", "1.s",
                    "1e3s",
                ]
            case 1:
                [
                    "01ARZ3NDEKTSV4RRFFQ69G5FAV", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
                    "grill-1",
                ]
            case 2:
                ["tcp://127.0.0.1:5570", "tcp://[::1]:0", "tcp://*:*", "ipc:///tmp/a", "tcp://a.b-c:65536"]
            case 3: ["10s", "true", "42", "a", "-1", "99999999999999999999"]
            case 5, 7:
                [
                    "{\"seconds\": 3}", "3", "[1, 2.5e3, \"\\u00e4\\\"\", null, {}]", "\"a b\"",
                    "{\"seconds\":1e9}",
                ]
            case 6:
                [
                    "{\"time\":\"2030-01-01T00:00:00Z\",\"subject\":\"w\","
                        + "\"data\":{\"worker\":\"w\",\"leases\":3,\"why\":\"a b\"}}"
                ]
            case 10: ["cat {payload}", "/bin/sh -c true", "{payload}", "no-such-program"]
            default: [text(), text() + "\n" + text(), "statoin"]
            }
        return (control, Array((once(in: 3) ? text() : pick(words)).utf8))
    }
}
