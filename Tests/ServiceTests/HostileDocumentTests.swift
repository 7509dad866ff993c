import Foundation
import Testing

@testable import Service

/// Documents that nobody writes by mistake.
@Suite("A hostile document")
struct HostileDocumentTests {
    @Test(
        "whose keys are aliases of aliases is refused before anybody compares them", .timeLimit(.minutes(1)))
    func keys() {
        let levels = (1...40).map { "- &a\($0) [*a\($0 - 1), *a\($0 - 1)]\n" }.joined()
        let text = "- &a0 [x, y]\n\(levels)- {*a20 : 1}\n- {? *a40 : 2}\n"
        #expect(
            complaint { _ = try Document.parse(text, file: "a") }
                == "a:23: holds more than 20000000 values, aliases followed")
        let few = "- &a [x]\n- &b [*a, *a]\n- {*b : 1}\n"
        #expect(complaint { _ = try Document.parse(few, file: "a") } == "a:3: a key must be a string")
    }

    @Test("of a chain of aliases longer than a stack is refused where it is 500 levels deep")
    func chain() {
        let levels = (1...200_000).map { "- &a\($0) [*a\($0 - 1)]\n" }.joined()
        #expect(
            complaint { _ = try Document.parse("- &a0 []\n\(levels)", file: "a") }
                == "a:500: holds more than 500 levels deep")
    }

    @Test("may use aliases as everybody does")
    func aliases() throws {
        let text = "- &name grill\n- &item {station: *name, *name : 1}\n- [*item, *item]\n- '*item & more'\n"
        let item = #"{"station":"grill","grill":1}"#
        let root = try Document.parse(text, file: "a").root
        #expect(try root.jsonText() == #"["grill",\#(item),[\#(item),\#(item)],"*item & more"]"#)
    }

    @Test("is answered by one short line, whatever its words are")
    func lines() throws {
        let long = String(repeating: "x", count: 100_000)
        for text in ["? \"\(long)\"\n: 1\n", "\"\\e[2J\\n\\u2028\": 1\n", "a: \(long)\n", "!\(long) a: 1\n"] {
            let answer = try #require(
                complaint {
                    let node = try Document.parse(text, file: "a").root.mapping(allowing: ["a"])
                    _ = try node.required("a").duration()
                })
            #expect(answer.utf8.count < 400)
            #expect(!answer.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x2028 })
        }
    }
}

@Suite("JSON")
struct JSONCharacterTests {
    @Test("is read as JSON where YAML would read its strings otherwise")
    func strings() throws {
        let text = "a\u{2028}b\u{2029} \u{85} c\u{7f}\u{9f}\u{feff}\u{ffff}\u{fffe}😀é"
        let json = "{\"payload\": \"\(text)\", \"\u{2028}\": [\"\\\\\", \"\\\"\u{85}\"]}"
        for begin in ["", "\u{feff}", "\n "] {
            let root = try Document.parse(begin + json, file: "a").root.mapping()
            #expect(try root.required("payload").string() == text)
            #expect(root.entries.map(\.key) == ["payload", "\u{2028}"])
            #expect(try root.required("\u{2028}").jsonText() == "[\"\\\\\",\"\\\"\u{85}\"]")
        }
    }

    @Test("may begin with a byte-order mark and have pairs of surrogates all the same")
    func mark() throws {
        let root = try Document.parse("\u{feff}[\"\\ud83d\\ude00\"]", file: "a").root
        #expect(try root.sequence().map { try $0.string() } == ["😀"])
    }
}

@Suite("Plain text")
struct PlainTextTests {
    @Test("is one line without control characters, and the beginning of what has no end")
    func plain() {
        #expect(PlainText.line("a\u{1b}[2J\nb\u{2028}c\u{9b}d\u{202e}é😀") == "a�[2J�b�c�d�é😀")
        #expect(PlainText.line("plain") == "plain")
        let stacked = "a" + String(repeating: "\u{301}", count: 10_000)
        #expect(PlainText.beginning(of: stacked).unicodeScalars.count == 60)
        #expect(Failure(.usage, "a\nb").message == "a�b")
    }

    @Test("of any length is compared with no word")
    func nearest() {
        #expect(NearestWord.suggestion(for: String(repeating: "a", count: 1_000_000), among: ["a"]) == nil)
    }
}
