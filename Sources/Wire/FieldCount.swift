/// Counts the fields of a message's body before anybody decodes it.
///
/// Two bytes are an empty item on the wire and more than a hundred in memory: without a limit a message of 4 MiB would
/// take hundreds of them. Every list that a worker, a producer or a kitchen's assembler sends stands in the body
/// itself.
struct FieldCount {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position: Int
    private let end: Int

    /// Whether the bodies of `message` have `countMax` fields together, or fewer.
    ///
    /// What is not protobuf is counted as far as it can be read: the decoder gets no further.
    static func isAtMost(_ countMax: Int, in message: [UInt8]) -> Bool {
        // A field takes two bytes.
        guard message.count > 2 * countMax else { return true }
        return message.withUnsafeBufferPointer { bytes in
            var outer = FieldCount(bytes: bytes, position: 0, end: bytes.count)
            var count = 0
            while let content = outer.next() {
                var body = FieldCount(bytes: bytes, position: content.lowerBound, end: content.upperBound)
                while body.next() != nil {
                    count += 1
                    guard count <= countMax else { return false }
                }
            }
            return true
        }
    }

    /// Passes over one field; the ends of a group count as fields.
    /// - Returns: the range of its content where it has a length, else an empty one; `nil` at the end.
    private mutating func next() -> Range<Int>? {
        guard position < end, let tag = varint() else { return nil }
        switch tag & 7 {
        case 0: return varint().map { _ in position..<position }
        case 1: return skip(8)
        case 2: return varint().flatMap { skip($0) }
        case 3, 4: return position..<position
        case 5: return skip(4)
        default: return nil
        }
    }

    private mutating func skip(_ count: UInt64) -> Range<Int>? {
        guard count <= UInt64(end - position) else { return nil }
        let start = position
        position += Int(count)
        return start..<position
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
