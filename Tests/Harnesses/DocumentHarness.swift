import Foundation
import Service
import TrayProducer
import TrayWorker
import Wire

extension Harness {
    /// Files in YAML and JSON: read, or refused by one line that names the place.
    ///
    /// The first byte says what the file is to be; the rest is the file.
    package static let documents = Harness(name: "documents") { input in
        guard let kind = input.first else { return 0 }
        try DocumentHarness.look(at: Array(input.dropFirst()), as: DocumentHarness.Kind(kind))
        return 1
    }

    /// The same for orders alone: the files that come from most hands.
    package static let orders = Harness(name: "orders") { input in
        try DocumentHarness.look(at: input, as: .order)
        return 1
    }
}

package enum DocumentHarness {
    package enum Kind: UInt8, CaseIterable {
        case order, menu, stations, anything

        init(_ byte: UInt8) { self = Kind.allCases[Int(byte) % Kind.allCases.count] }
    }

    private static let file = "file.yaml"
    private static let errorBytesMax = 2_000

    static func look(at bytes: [UInt8], as kind: Kind) throws {
        do {
            let document = try Document.parse(bytes, file: file)
            switch kind {
            case .order: try check(try OrderReader(besides: file).order(from: document.root))
            case .menu: try checkMenu(document)
            case .stations: _ = try StationFile.stations(in: document, serving: ["a"])
            case .anything: try walk(document.root, depth: 0)
            }
        } catch let error as DocumentError {
            try check(error, bytes)
        } catch let failure as Failure {
            try checkText(failure.message)
        }
    }

    private static func check(_ error: DocumentError, _ bytes: [UInt8]) throws {
        try Harnesses.check(error.file == file, "an error names no file: \(error)")
        if let line = error.line {
            let lineCount = bytes.count { $0 == 0x0a || $0 == 0x0d } + 2
            let isThere = bytes.contains { $0 >= 0x80 } || (1...lineCount).contains(line)
            try Harnesses.check(isThere, "line \(line) of \(lineCount): \(error)")
        }
        try checkText(error.description)
    }

    private static func checkText(_ text: String) throws {
        try Harnesses.check(text.utf8.count <= errorBytesMax, "an error of \(text.utf8.count) bytes")
        try Shown.check([text])
    }

    private static func checkMenu(_ document: Document) throws {
        let menu = try Menu(document)
        for name in menu.orderNames {
            guard let order = try menu.order(named: name) else {
                throw Harness.Violation(description: "the menu has no order of its own name '\(name)'")
            }
            try check(order)
        }
    }

    /// What was read is within the limits, and its payloads are what they say that they are.
    private static func check(_ order: NewOrder) throws {
        let submission = try order.submission()
        for item in submission.items where item.payload.kind == .json {
            try Harnesses.check(
                JSONText.isOneValue(item.payload.data),
                "not JSON: \(String(decoding: item.payload.data, as: UTF8.self))")
        }
        let again = try Frames.decode(
            Frames.encode(Submit.with { ($0.spec, $0.items) = (submission.spec, submission.items) }),
            as: Submit.self)
        try Harnesses.check(again.items == submission.items && again.spec == submission.spec, "another order")
    }

    /// Asks every value for everything that it might be.
    private static func walk(_ node: DocumentNode, depth: Int) throws {
        try attempt { _ = try node.jsonText(bytesMax: 100_000) }
        try attempt { _ = try node.string() }
        try attempt { _ = try node.text() }
        try attempt { _ = try node.int(in: 0...10) }
        try attempt { _ = try node.int() }
        try attempt { _ = try node.bool() }
        try attempt { _ = try node.double() }
        try attempt { _ = try node.duration() }
        try attempt { _ = try node.mapping(allowing: ["items", "station"]) }
        guard depth < 5 else { return }
        try attempt { for child in try node.sequence().prefix(50) { try walk(child, depth: depth + 1) } }
        try attempt {
            for entry in try node.mapping().entries.prefix(50) { try walk(entry.value, depth: depth + 1) }
        }
    }

    private static func attempt(_ body: () throws -> Void) throws {
        do { try body() } catch let error as DocumentError { try checkText(error.description) }
    }
}
