import Foundation

/// An event as people read it.
package enum EventText {
    private struct Event: Decodable {
        let time: String
        let subject: String
    }

    /// `TIME TOPIC SUBJECT key=value …`, without the fields that repeat the subject. What is no event is shown as it
    /// came.
    package static func line(_ topic: String, _ json: [UInt8]) -> String {
        guard let event = try? JSONDecoder().decode(Event.self, from: Data(json)),
            let object = try? JSONSerialization.jsonObject(with: Data(json)) as? [String: Any],
            let data = object["data"] as? [String: Any]
        else { return Printable.line("\(topic) \(String(decoding: json, as: UTF8.self))") }
        let fields = data.sorted { $0.key < $1.key }
            .filter { $0.value as? String != event.subject }
            .map { "\($0.key)=\(text(of: $0.value))" }
        return Printable.line(([event.time, topic, event.subject] + fields).joined(separator: " "))
    }

    private static func text(of value: Any) -> String {
        if let text = value as? String, !text.contains(where: \.isWhitespace) { return text }
        let options: JSONSerialization.WritingOptions = [
            .sortedKeys, .fragmentsAllowed, .withoutEscapingSlashes,
        ]
        // What came out of JSON goes into it.
        let bytes = (try? JSONSerialization.data(withJSONObject: value, options: options)) ?? Data()
        return String(decoding: bytes, as: UTF8.self)
    }
}
