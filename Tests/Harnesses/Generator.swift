import Foundation
import Seeded

/// Random values from a seed: the same ones in every process.
package struct Generator: RandomNumberGenerator {
    private var numbers: SplitMix

    package init(seed: UInt64) { numbers = SplitMix(seed: seed) }

    package mutating func next() -> UInt64 { numbers.next() }

    package mutating func int(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &self) }

    package mutating func bool() -> Bool { next() & 1 == 0 }

    /// True once in `count` times.
    package mutating func once(in count: Int) -> Bool { int(1...count) == 1 }

    package mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[int(0...elements.count - 1)]
    }

    package mutating func list<Element>(
        atMost countMax: Int, _ element: (inout Generator) -> Element
    ) -> [Element] {
        (0..<int(0...countMax)).map { _ in element(&self) }
    }

    /// Small ones, round ones, and those at the ends of their types.
    package mutating func number() -> UInt64 {
        switch int(0...5) {
        case 0: 0
        case 1: UInt64(int(1...9))
        case 2: pick([.max, .max - 1, 1 << 63, 1 << 62, 1 << 53, 1 << 32, 1 << 31])
        case 3: next() >> int(0...63)
        default: UInt64(int(0...2_000))
        }
    }

    package mutating func word32() -> UInt32 { UInt32(truncatingIfNeeded: number()) }

    package mutating func bytes(atMost countMax: Int) -> [UInt8] {
        (0..<int(0...countMax)).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// Text with everything in it that is read otherwise than it is written.
    package mutating func text(atMost countMax: Int = 12) -> String {
        (0..<int(0...countMax)).map { _ in pick(Generator.pieces) }.joined()
    }

    /// What is a station's or a worker's name, most of the time.
    package mutating func label() -> String {
        once(in: 8) ? text() : pick(["grill", "fryer", "a", "b", "resize.large", "A-1_b"])
    }

    private static let pieces: [String] = [
        "a", "B", "7", " ", "  ", ".", "-", "_", ":", ": ", "#", " #", "'", "\"", "\\", "/", "{", "}", "[",
        "]", ",",
        "&", "*", "!", "|", ">", "%", "@", "`", "?", "~", "=", "<<", "\n", "\r\n", "\r", "\t", "\u{0}",
        "\u{1}",
        "\u{7}", "\u{1b}[2J", "\u{7f}", "\u{85}", "\u{a0}", "\u{ad}", "\u{2028}", "\u{202e}", "\u{feff}", "ä",
        "é",
        "ß", "日本", "😀", "👩‍👩‍👧", "\u{301}", "\u{ffff}", "\u{10ffff}", "null", "true", "no", "0x1f", "1e400",
        ".nan",
        "-.inf", "---", "...", "{payload}", "%s", "$HOME", "..", "\u{fffd}",
    ]
}
