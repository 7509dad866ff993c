import Foundation
import Service
import Testing

@Suite("JSON text")
struct JSONTextTests {
    @Test(
        "is one value, as everybody reads it",
        arguments: ["1", " {\"a\": [1, 2]} ", "\"a,]\\\",}\"", "null", "[]"])
    func valid(text: String) { #expect(JSONText.isOneValue(Data(text.utf8))) }

    @Test(
        "is nothing that only some readers take",
        arguments: ["[1,]", "{\"a\":1 , }", "\u{feff}1", "1 2", "", "nan"])
    func invalid(text: String) { #expect(!JSONText.isOneValue(Data(text.utf8))) }

    @Test("is not UTF-16")
    func utf16() { #expect(!JSONText.isOneValue(Data([0x5b, 0, 0x31, 0, 0x5d, 0]))) }
}
