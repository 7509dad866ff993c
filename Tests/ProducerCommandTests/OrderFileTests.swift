import Foundation
import Testing
import TrayProducer
import Wire

@Suite("Order files")
struct OrderFileTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test("every field of an order and its items is read")
    func everyField() throws {
        let order = try OrderFile.read(
            try scratch.file(
                """
                name: lunch-set
                key: monday
                failure: {tolerate: 3}
                deadline: 30s
                enough: 1
                max_parallel: 2
                priority: -7
                not_before: 2030-01-31T08:00:00.250Z
                items:
                  - {name: burger, station: grill, payload: {seconds: 3}, timeout: 10s, max_attempts: 5}
                """))
        #expect(order.name == "lunch-set")
        #expect(order.key == "monday")
        #expect(order.failure == .tolerate(count: 3))
        #expect(order.deadline == .after(.seconds(30)))
        #expect(order.enough == 1)
        #expect(order.maxParallel == 2)
        #expect(order.priority == -7)
        #expect(order.notBefore == WallTime(milliseconds: 1_896_076_800_250))
        let item = try #require(order.items.first)
        #expect(item.name == "burger")
        #expect(item.station == "grill")
        #expect(item.payload == .json(#"{"seconds":3}"#))
        #expect(item.timeout == .seconds(10))
        #expect(item.attemptsMax == 5)
    }

    @Test("what is not written is left to the contract's defaults")
    func defaults() throws {
        let order = try OrderFile.read(try scratch.file("items: [{station: echo}]"))
        #expect(order.name.isEmpty)
        #expect(order.key.isEmpty)
        #expect(order.failure == .isolate)
        #expect(order.deadline == .standard)
        #expect(order.enough == nil && order.maxParallel == nil && order.notBefore == nil)
        #expect(order.items[0].payload == Content())
        #expect(order.items[0].timeout == nil && order.items[0].attemptsMax == nil)
    }

    @Test("JSON is read as YAML is")
    func json() throws {
        let text =
            #"{"failure": "fail-fast", "deadline": "none", "items": [{"station": "echo", "payload": [1]}]}"#
        let order = try OrderFile.read(try scratch.file(text))
        #expect(order.failure == .failFast)
        #expect(order.deadline == .none)
        #expect(order.items[0].payload == .json("[1]"))
    }

    @Test("each reading is an order of its own")
    func freshID() throws {
        let file = try scratch.file("items: []")
        #expect(try OrderFile.read(file).id != OrderFile.read(file).id)
    }

    @Test("an order of no items is an order (FM-07)")
    func noItems() throws {
        #expect(try OrderFile.read(try scratch.file("items: []")).items.isEmpty)
    }

    @Test(
        "a failure rule can be written as a word, a mapping or a string",
        arguments: [
            ("isolate", NewOrder.FailureRule.isolate), ("fail-fast", .failFast),
            ("{tolerate: 0}", .tolerate(count: 0)), ("\"tolerate: 3\"", .tolerate(count: 3)),
            ("{tolerate: 5%}", .tolerateShare(hundredthsOfPercent: 500)),
            ("\"tolerate: 0.25%\"", .tolerateShare(hundredthsOfPercent: 25)),
            ("{tolerate: 12.5%}", .tolerateShare(hundredthsOfPercent: 1_250)),
            ("{tolerate: 100%}", .tolerateShare(hundredthsOfPercent: 10_000)),
        ])
    func failureRules(text: String, rule: NewOrder.FailureRule) throws {
        let file = try scratch.file("failure: \(text)\nitems: []")
        #expect(try OrderFile.read(file).failure == rule)
    }

    @Test("a payload comes from the file beside the order, as bytes")
    func payloadFile() throws {
        _ = try scratch.file(Data([0, 255, 10]), named: "photo.raw")
        let file = try scratch.file("items: [{station: resize, payload_file: photo.raw}]")
        #expect(try OrderFile.read(file).items[0].payload == .bytes([0, 255, 10]))
    }

    @Test("a payload in base 64 is bytes")
    func payloadBase64() throws {
        let file = try scratch.file("items: [{station: resize, payload_base64: AP8K}]")
        #expect(try OrderFile.read(file).items[0].payload == .bytes([0, 255, 10]))
    }

    @Test("a payload of nothing is JSON's null")
    func payloadNull() throws {
        #expect(
            try OrderFile.read(try scratch.file("items: [{station: s, payload: }]")).items[0].payload
                == .json("null"))
    }

    @Test(
        "what is wrong is named with its line and field",
        arguments: [
            ("items: [{station: a b}]", "order.yaml:1: items[0].station: \"a b\" names no station"),
            ("items:\n  - {}", "order.yaml:2: items[0]: the key \"station\" is missing"),
            ("name: x", "order.yaml:1: the key \"items\" is missing"),
            ("items: 3", "order.yaml:1: items: \"3\" is not a list"),
            ("items: []\nprioriy: 3", "order.yaml:2: unknown key \"prioriy\"; did you mean \"priority\"?"),
            (
                "items: []\npriority: 101",
                "order.yaml:2: priority: \"101\" is out of range; write -100 to 100"
            ),
            (
                "items: []\ndeadline: -3s",
                "order.yaml:2: deadline: \"-3s\" is negative; a duration is not; or write none"
            ),
            ("items: []\ndeadline: 0s", "order.yaml:2: deadline: a time of less than 1ms is none"),
            ("items: []\ndeadline: []", "order.yaml:2: deadline: a list is not a duration"),
            ("items: []\nenough: 1", "order.yaml:2: enough: 1 can never be reached: the order has 0 items"),
            ("items: []\nmax_parallel: 0", "order.yaml:2: max_parallel: \"0\" is out of range"),
            ("items: []\nnot_before: soon", "order.yaml:2: not_before: \"soon\" is not a time in ISO 8601"),
            ("items: []\nfailure: ignore", "order.yaml:2: failure: \"ignore\" is not a failure rule"),
            (
                "items: []\nfailure: {tolerate: 101%}",
                "order.yaml:2: failure.tolerate: \"101%\" is not what can be"
            ),
            (
                "items: []\nfailure: {tolerate: 1.234%}",
                "order.yaml:2: failure.tolerate: \"1.234%\" is not what"
            ),
            ("items: []\nfailure: \"tolerate: -1\"", "order.yaml:2: failure: \"-1\" is not what can be"),
            (
                "items:\n- {station: s, payload: 1, payload_base64: AA==}",
                "order.yaml:2: items[0].payload_base64: an item has one payload; \"payload\" is given already"
            ),
            (
                "items: [{station: s, payload_base64: '?'}]",
                "order.yaml:1: items[0].payload_base64: this is not"
            ),
            (
                "items: [{station: s, max_attempts: 0}]",
                "order.yaml:1: items[0].max_attempts: \"0\" is out of"
            ),
            ("items: [{station: s, timeout: 3}]", "order.yaml:1: items[0].timeout: \"3\" is not a duration"),
        ])
    func complaints(text: String, complaint: String) throws {
        let file = try scratch.file(text)
        #expect(scratch.complaint { _ = try OrderFile.read(file) }.hasPrefix(complaint))
    }

    @Test("a missing payload file is named where the order names it")
    func missingPayloadFile() throws {
        let file = try scratch.file("items: [{station: resize, payload_file: none.raw}]")
        #expect(
            scratch.complaint { _ = try OrderFile.read(file) }
                == "order.yaml:1: items[0].payload_file: none.raw: there is no such file")
    }

    @Test("names and keys are held to their limits", arguments: ["name", "key"])
    func longText(field: String) throws {
        let fits = try scratch.file("\(field): \(String(repeating: "x", count: 200))\nitems: []")
        _ = try OrderFile.read(fits)
        let file = try scratch.file("\(field): \(String(repeating: "x", count: 201))\nitems: []")
        #expect(
            scratch.complaint { _ = try OrderFile.read(file) }
                == "order.yaml:1: \(field): 201 bytes are too long; 200 are allowed")
    }

    @Test("a payload over 1 MiB is refused, one of 1 MiB is not")
    func largePayload() throws {
        let fits = String(repeating: "x", count: Limits.contentBytesMax - 2)  // and two quotes in JSON
        _ = try OrderFile.read(try scratch.file("items: [{station: s, payload: \(fits)}]"))
        let file = try scratch.file("items: [{station: s, payload: \(fits)y}]")
        #expect(
            scratch.complaint { _ = try OrderFile.read(file) }
                == "order.yaml:1: items[0].payload: this is more than 1048576 bytes of JSON, the limit here")
    }

    @Test("a file that is not there is said to be missing")
    func missingFile() {
        #expect(
            scratch.complaint { _ = try OrderFile.read("nowhere.yaml") }
                == "nowhere.yaml: there is no such file")
    }
}
