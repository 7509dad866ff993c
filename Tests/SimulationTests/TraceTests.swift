import Testing

@testable import Simulation

@Suite("The digest of a run")
struct TraceTests {
    private func digest(_ frames: [[UInt8]]...) -> UInt64 {
        var trace = Trace(write: nil)
        for message in frames { trace.add(message) }
        return trace.digest
    }

    /// Whole words, and what is left behind the last.
    @Test("is another one where any byte of a message is", arguments: [1, 7, 8, 9, 16, 21])
    func everyByte(count: Int) {
        let bytes = (0..<UInt8(count)).map { $0 &* 7 }
        var digests: Set = [digest([bytes])]
        for position in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[position] ^= 1 << UInt8(bit)
                digests.insert(digest([changed]))
            }
        }
        #expect(digests.count == 1 + 8 * count)
    }

    @Test("is another one where bytes stand in another frame, and where messages come in another order")
    func framesAndOrder() {
        let digests: Set = [
            digest([[1, 2], [3]]), digest([[1], [2, 3]]), digest([[1, 2, 3]]), digest([[3], [1, 2]]),
            digest([[1, 2, 3], []]), digest([[]]), digest([[0]]), digest([[0, 0]]),
            digest([[1]], [[2]]), digest([[2]], [[1]]),
        ]
        #expect(digests.count == 10)
    }

    @Test("is another one where the highest bits of two words in a row are")
    func highBits() {
        let word: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        let changed: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 0x88]
        #expect(digest([word + word]) != digest([changed + changed]))
    }
}
