import Foundation
import Service
import Wire

/// The lines of a file or of standard input, as bytes: one item each.
///
/// A line ends with "\n", which is not part of it; a "\r" before is. Empty lines count. The last line may
/// lack its end.
package struct InputLines {
    private let name: String
    private var lines: [Data] = []
    private var byteCount = 0
    /// A line whose end has not been read yet.
    private var open = Data()

    package init(named name: String) { self.name = name }

    /// Reads `file` (`-`: standard input) to its end.
    ///
    /// - Throws: `DocumentError`, which names the line, where one is longer than a payload may be, or there
    ///   are more than an order may have items; else where the file cannot be read.
    package static func read(_ file: String) throws(DocumentError) -> [Data] {
        var lines = InputLines(named: FileBytes.name(of: file))
        try FileBytes.forEachChunk(of: file) { chunk throws(DocumentError) in try lines.add(Data(chunk)) }
        return try lines.end()
    }

    package mutating func add(_ chunk: Data) throws(DocumentError) {
        var rest = chunk
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            open.append(rest[..<end])
            try close()
            rest = rest[(end + 1)...]
        }
        open.append(rest)
        try check()
    }

    /// All lines; one without its end counts.
    package mutating func end() throws(DocumentError) -> [Data] {
        if !open.isEmpty { try close() }
        return lines
    }

    private mutating func close() throws(DocumentError) {
        try check()
        guard lines.count < Limits.orderItemCountMax else {
            throw error(
                "an order has at most \(Limits.orderItemCountMax) items, a line each", line: lines.count + 1)
        }
        byteCount += open.count
        guard byteCount <= Limits.openBytesMax else {
            throw error(
                "the lines up to here are more than \(Limits.openBytesMax) bytes; no assembler holds more",
                line: lines.count + 1)
        }
        lines.append(open)
        open = Data()
    }

    private func check() throws(DocumentError) {
        guard open.count <= Limits.contentBytesMax else {
            throw error("this line has more than \(Limits.contentBytesMax) bytes", line: lines.count + 1)
        }
    }

    private func error(_ message: String, line: Int? = nil) -> DocumentError {
        DocumentError(file: name, line: line, path: "", message: message)
    }
}
