import Foundation
import Testing
import TrayProducer
import Wire

@Suite("Lines of input")
struct InputLinesTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test(
        "every line is an item, empty ones too; the last may lack its end; a carriage return is kept",
        arguments: [
            ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("\n", [""]),
            ("a\n\nb\n", ["a", "", "b"]),
            ("a\r\nb\r\n", ["a\r", "b\r"]),
        ])
    func lines(input: String, lines: [String]) throws {
        let file = try scratch.file(input)
        #expect(try InputLines.read(file) == lines.map { Data($0.utf8) })
    }

    @Test("bytes that are no text stay as they are")
    func bytes() throws {
        let file = try scratch.file(Data([0xff, 0x00, 0x0a, 0xfe]), named: "lines")
        #expect(try InputLines.read(file) == [Data([0xff, 0x00]), Data([0xfe])])
    }

    @Test("lines that reading cuts in pieces are whole again")
    func longLines() throws {
        let lines = (0..<5).map { Data(repeating: UInt8(ascii: "a") + $0, count: 100_000) }
        let file = try scratch.file(Data(lines.joined(separator: Data([0x0a]))), named: "lines")
        #expect(try InputLines.read(file) == lines)
    }

    @Test("a line over 1 MiB is named; one of 1 MiB is taken")
    func lineTooLong() throws {
        let fits = Data(repeating: 0x61, count: Limits.contentBytesMax)
        #expect(try InputLines.read(try scratch.file(fits + [0x0a], named: "lines")) == [fits])
        let file = try scratch.file(Data("first\n".utf8) + fits + [0x61, 0x0a], named: "lines")
        #expect(
            scratch.complaint { _ = try InputLines.read(file) }
                == "lines:2: this line has more than 1048576 bytes")
    }

    @Test("more than a million lines are too many; a million are not")
    func tooManyLines() throws {
        let million = Data(repeating: 0x0a, count: Limits.orderItemCountMax)
        #expect(
            try InputLines.read(try scratch.file(million, named: "lines")).count == Limits.orderItemCountMax)
        let file = try scratch.file(million + [0x61], named: "lines")
        #expect(
            scratch.complaint { _ = try InputLines.read(file) }
                == "lines:1000001: an order has at most 1000000 items, a line each")
    }

    @Test("a file that is not there, or is a folder, is said so")
    func unreadable() {
        #expect(scratch.complaint { _ = try InputLines.read("nowhere") }.hasPrefix("nowhere: "))
        #expect(scratch.complaint { _ = try InputLines.read("/") }.hasPrefix("/: "))
    }
}
