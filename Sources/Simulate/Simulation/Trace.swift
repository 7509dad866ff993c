import Wire

/// What happened, as a digest of every message and, where somebody wants to read it, as lines.
struct Trace {
    /// Where lines go; `nil` where nobody reads them.
    private let write: ((String) -> Void)?
    /// Of everything so far, in the manner of FNV-1a, by words: two runs of one seed have the same.
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    var now = Instant(nanoseconds: 0)

    init(write: ((String) -> Void)?) { self.write = write }

    var isRead: Bool { write != nil }

    mutating func add(_ number: UInt64) {
        digest = Trace.mixed(digest, number)
    }

    mutating func add(_ frames: [[UInt8]]) {
        for frame in frames {
            digest = frame.withUnsafeBytes { bytes in
                var digest = Trace.mixed(digest, UInt64(bytes.count))
                let wordsEnd = bytes.count & ~7
                for offset in stride(from: 0, to: wordsEnd, by: 8) {
                    digest = Trace.mixed(digest, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                }
                for byte in bytes[wordsEnd...] { digest = Trace.mixed(digest, UInt64(byte)) }
                return digest
            }
        }
    }

    /// A multiplication carries nothing down: without the fold, changed high bits of two words cancel one another.
    private static func mixed(_ digest: UInt64, _ word: UInt64) -> UInt64 {
        let product = (digest ^ word) &* 0x100_0000_01B3
        return product ^ product >> 32
    }

    func line(_ who: Party, _ text: @autoclosure () -> String) {
        if isRead { line(who.text, text()) }
    }

    func line(_ who: String, _ text: @autoclosure () -> String) {
        guard let write else { return }
        write("\(Trace.text(now))  \(Trace.padded(who, to: 12)) \(text())")
    }

    /// Seconds and microseconds.
    static func text(_ instant: Instant) -> String {
        let microseconds = instant.nanoseconds / 1_000
        let fraction = String(microseconds % 1_000_000)
        let zeros = String(repeating: "0", count: 6 - fraction.count)
        let seconds = String(microseconds / 1_000_000)
        return String(repeating: " ", count: max(0, 4 - seconds.count)) + "\(seconds).\(zeros)\(fraction)"
    }

    static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension Party {
    var text: String {
        switch self {
        case .assembler: "assembler"
        case .worker(let index): "worker-\(index + 1)"
        case .producer(let index): "producer-\(index + 1)"
        }
    }
}
