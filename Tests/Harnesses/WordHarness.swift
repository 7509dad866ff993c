import Foundation
import Service
import TrayProducer
import TrayWorker
import Wire
import ZeroMQ

extension Harness {
    /// Single words and lines: durations, ids, endpoints, settings, lines of input, events, payloads.
    package static let words = Harness(name: "words") { input in
        var count = 0
        for record in Records(input) {
            count += 1
            try WordHarness.look(at: record)
        }
        return count
    }
}

enum WordHarness {
    private static let errorBytesMax = 2_000

    static func look(at record: Records.Record) throws {
        let (bytes, text) = (record.bytes, String(decoding: record.bytes, as: UTF8.self))
        switch record.control % 11 {
        case 0: try lookAtDuration(text)
        case 1: try lookAtOrderID(text, bytes)
        case 2: try lookAtEndpoint(text)
        case 3: try lookAtSettings(text)
        case 4: try lookAtLines(bytes, chunkSize: Int(record.control) / 11 + 1)
        case 5: try lookAtJSON(Data(bytes))
        case 6: try Shown.check([EventText.line("order.served", bytes), EventText.line(text, bytes)])
        case 7: try lookAtPayload(Content.with { ($0.kind, $0.data) = (.json, Data(bytes)) })
        case 8: _ = NearestWord.suggestion(for: text, among: ["items", "station", "payload_base64", ""])
        case 9: try lookAtPrintable(text)
        default: try lookAtCommand(text)
        }
    }

    private static func lookAtDuration(_ text: String) throws {
        guard let duration = DurationText.parse(text) else {
            return try checkText(Failure(.usage, DurationText.complaint(about: text)).message)
        }
        try check(duration >= .zero, "'\(text)' is \(duration)")
        let written = DurationText.format(duration)
        try check(DurationText.parse(written) == duration, "'\(text)' is written as '\(written)'")
    }

    private static func lookAtOrderID(_ text: String, _ bytes: [UInt8]) throws {
        if let id = OrderID(text) {
            try check(id.description == text.uppercased(), "\(text) is \(id)")
            try check(OrderID(id.data) == id, "\(id) has other bytes")
        }
        if let id = OrderID(Data(bytes)) {
            try check(OrderID(id.description) == id && id.bytes == bytes, "\(id) has other bytes")
        }
        try check(
            !Label.isValid(text) || text.utf8.count <= Limits.labelBytesMax, "a label of \(text.utf8.count)")
    }

    private static func lookAtEndpoint(_ text: String) throws {
        for binding in [false, true] {
            guard let problem = Endpoint.problem(of: text, binding: binding) else { continue }
            try checkText(Failure(.configuration, problem).message)
        }
    }

    private static let settings: [@Sendable (Settings) throws -> Void] = [
        { _ = try $0.value(Setting<Duration>.duration("a", default: .zero, atLeast: .milliseconds(1))) },
        { _ = try $0.value(Setting<Int>.count("a", in: 1...100, default: 1)) },
        { _ = try $0.value(Setting<Bool>.toggle("a", default: false)) },
        { _ = try $0.value(Setting<String>.text("a", default: "")) },
    ]

    private static func lookAtSettings(_ text: String) throws {
        let places = [
            try Settings(keys: ["a"], flags: ["a": text], environment: [:]),
            try Settings(keys: ["a"], environment: ["TRAY_A": text]),
        ]
        for place in places {
            for setting in settings {
                do { try setting(place) } catch let failure as Failure { try checkText(failure.message) }
            }
        }
    }

    private static func lookAtLines(_ bytes: [UInt8], chunkSize: Int) throws {
        var lines = InputLines(named: "stdin")
        for start in stride(from: 0, to: bytes.count, by: chunkSize) {
            try lines.add(Data(bytes[start..<min(start + chunkSize, bytes.count)]))
        }
        let joined = try lines.end().map { Array($0) + [0x0a] }.joined()
        let whole = bytes.isEmpty || bytes.last == 0x0a ? bytes : bytes + [0x0a]
        try check(joined.elementsEqual(whole), "other lines than were given")
    }

    private static func lookAtJSON(_ data: Data) throws {
        guard let json = JSONValue(compacting: data) else {
            return try check(!JSONText.isOneValue(data), "JSON that is not taken as JSON")
        }
        try Shown.check(json)
        try check(PayloadText.compact(data).elementsEqual(json.text.utf8), "compacted otherwise by a worker")
    }

    private static func lookAtPayload(_ payload: Content) throws {
        if let seconds = SleepHandler.seconds(of: payload) {
            try check(seconds >= 0 && seconds <= 1e8, "a sleep of \(seconds)")
        }
        _ = PayloadText.bytes(of: payload)
    }

    private static func lookAtPrintable(_ text: String) throws {
        let line = Printable.firstLine(text, width: 40)
        try Shown.check([Printable.line(text), line])
        try check(line.count <= 40, "a line of \(line.count) characters")
        try Shown.check(.object([(key: text, value: .string(text))]))
    }

    private static func lookAtCommand(_ text: String) throws {
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        do { _ = try CommandHandler(words) } catch {
            try checkText(Failure(.configuration, "\(error)").message)
        }
    }

    private static func checkText(_ text: String) throws {
        try check(text.utf8.count <= errorBytesMax, "an error of \(text.utf8.count) bytes")
        try Shown.check([text])
    }
}
