/// Something that reads bytes of others, and what must hold whatever they are.
///
/// The fuzzer (docs/fuzzing.md) runs harnesses on millions of inputs, the tests on a corpus of those that have found
/// something.
package struct Harness: Sendable {
    /// Whoever breaks one has found a bug, as has whatever crashes.
    package struct Violation: Error, CustomStringConvertible {
        package let description: String
    }

    package let name: String
    /// Looks at one input.
    /// - Returns: how many messages or documents it held.
    package let run: @Sendable ([UInt8]) throws -> Int

    /// So many ticks at one moment are enough for everything that is due.
    static let tickCountMax = 4

    package static let all = [
        frames, assembler, worker, client, documents, orders, words,
    ]
}

/// Checks what must hold of every input.
func check(_ condition: Bool, _ complaint: @autoclosure () -> String) throws(Harness.Violation) {
    guard condition else { throw Harness.Violation(description: complaint()) }
}

/// An input as several records: each a byte that says what to do with it, and what it is done with.
///
/// They are told apart by a mark and not by their lengths, so that a byte more or less changes one of them alone.
package struct Records: Sequence, IteratorProtocol {
    package struct Record {
        /// What to do.
        package let control: UInt8
        package let bytes: [UInt8]
    }

    package static let mark: [UInt8] = [0xf1, 0xf2, 0xf3]
    /// Of one input: more only make it slow.
    static let countMax = 64

    private var rest: ArraySlice<UInt8>
    private var count = 0

    package init(_ input: [UInt8]) { rest = input[...] }

    package mutating func next() -> Record? {
        guard count < Records.countMax, let control = rest.first else { return nil }
        count += 1
        rest = rest.dropFirst()
        let end = rest.firstIndex(of: Records.mark) ?? rest.endIndex
        defer { rest = rest[end...].dropFirst(Records.mark.count) }
        return Record(control: control, bytes: Array(rest[..<end]))
    }

    /// The input that these records are.
    package static func joined(_ records: [(control: UInt8, bytes: [UInt8])]) -> [UInt8] {
        Array(records.map { [$0.control] + $0.bytes }.joined(separator: Records.mark))
    }
}

extension ArraySlice<UInt8> {
    fileprivate func firstIndex(of mark: [UInt8]) -> Int? {
        guard var position = firstIndex(of: mark[0]) else { return nil }
        while position + mark.count <= endIndex {
            if self[position..<position + mark.count].elementsEqual(mark) { return position }
            guard let next = self[(position + 1)...].firstIndex(of: mark[0]) else { return nil }
            position = next
        }
        return nil
    }
}
