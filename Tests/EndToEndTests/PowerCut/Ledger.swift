import Foundation
import Wire

/// What producers were told, each with how far the disk's journal was by then.
struct Acknowledgement: Sendable {
    enum Content: Sendable {
        case receipt(OrderID)
        case outcome(OrderID, Landed)
        case end(OrderID, status: String, done: Int)
    }

    /// A line of `producer watch --follow --json`, as far as it says what became of an item.
    struct Landed: Sendable, Equatable {
        let landing: Int
        let index: Int
        let status: String
        let attempts: Int
        let worker: String?
        /// Empty of an item that is not done.
        let result: String
    }

    let content: Content
    /// Bytes of the journal after it was received.
    let position: Int
}

/// Reads along what producers print, a thousand times a second, and writes down when.
actor Ledger {
    private struct Source {
        let file: URL
        var handle: FileHandle?
        var rest = Data()
    }

    private var sources: [Source] = []
    private let journalByteCount: @Sendable () -> Int
    private(set) var acknowledgements: [Acknowledgement] = []
    /// Lines that are none of those that we know.
    private(set) var unknownLines: [String] = []

    init(journalByteCount: @escaping @Sendable () -> Int) { self.journalByteCount = journalByteCount }

    func follow(_ output: URL) { sources.append(Source(file: output)) }

    /// Reads along until it is cancelled.
    func run() async {
        while !Task.isCancelled {
            look()
            try? await Task.sleep(for: .milliseconds(1))  // cancelled: the loop's condition sees it
        }
        look()
    }

    private func look() {
        for index in sources.indices {
            if sources[index].handle == nil {
                sources[index].handle = FileHandle(forReadingAtPath: sources[index].file.path)
            }
            guard let data = try? sources[index].handle?.readToEnd(), !data.isEmpty else { continue }
            sources[index].rest.append(data)
            let position = journalByteCount()
            while let end = sources[index].rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = sources[index].rest[..<end]
                note(String(decoding: line, as: UTF8.self), position: position)
                sources[index].rest = Data(sources[index].rest[(end + 1)...])
            }
        }
    }

    private func note(_ line: String, position: Int) {
        guard let content = Ledger.content(of: line) else {
            unknownLines.append(line)
            return
        }
        acknowledgements.append(Acknowledgement(content: content, position: position))
    }

    /// A receipt is the order's id alone; the rest is JSON.
    private static func content(of line: String) -> Acknowledgement.Content? {
        if let order = OrderID(line) { return .receipt(order) }
        guard
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
            let order = (object["order"] as? String).flatMap({ OrderID($0) }),
            let status = object["status"] as? String
        else { return nil }
        guard let landing = object["landing"] as? Int else {
            guard let done = (object["counts"] as? [String: Any])?["done"] as? Int else { return nil }
            return .end(order, status: status, done: done)
        }
        guard let index = object["index"] as? Int, let attempts = object["attempts"] as? Int else {
            return nil
        }
        return .outcome(
            order,
            Acknowledgement.Landed(
                landing: landing, index: index, status: status, attempts: attempts,
                worker: object["worker"] as? String, result: object["result"] as? String ?? ""))
    }
}
