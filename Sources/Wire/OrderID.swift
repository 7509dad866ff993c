/// The id of an order: a ULID, 48 bits of milliseconds since 1970 and 80 random bits.
///
/// On the wire it is 16 bytes, most significant first; for people, 26 characters of Crockford's base 32.
/// Source: the ULID specification, https://github.com/ulid/spec
public struct OrderID: Hashable, Comparable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Draws a new id.
    public init(at wall: WallTime, using generator: inout some RandomNumberGenerator) {
        high = UInt64(clamping: wall.milliseconds) << 16 | UInt64.random(in: 0...0xffff, using: &generator)
        low = UInt64.random(in: .min ... .max, using: &generator)
    }

    /// From 26 characters, in either case; `nil` where they are not a ULID.
    public init?(_ text: some StringProtocol) {
        let characters = text.utf8
        guard characters.count == OrderID.characterCount, let first = OrderID.value(of: characters.first!),
            first < 8
        else {
            return nil
        }
        var (high, low): (UInt64, UInt64) = (0, 0)
        for character in characters {
            guard let value = OrderID.value(of: character) else { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | UInt64(value)
        }
        self.init(high: high, low: low)
    }

    public var bytes: [UInt8] { withBytes { Array($0) } }

    func withBytes<Result>(_ use: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: (high.bigEndian, low.bigEndian), use)
    }

    /// When the id was drawn, by the clock of the producer that drew it.
    public var drawnAt: WallTime { WallTime(milliseconds: Int64(high >> 16)) }

    public static let byteCount = 16
    package static let characterCount = 26

    public static func < (left: OrderID, right: OrderID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    private static func value(of character: UInt8) -> Int? {
        let upper = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character) ? character - 32 : character
        return alphabet.firstIndex(of: upper)
    }
}

extension OrderID: CustomStringConvertible {
    public var description: String {
        String(unsafeUninitializedCapacity: OrderID.characterCount) { characters in
            write(to: characters)
            return OrderID.characterCount
        }
    }

    /// Writes the description's `characterCount` characters, in ASCII, to the beginning of the buffer, which has
    /// room for them.
    package func write(to characters: UnsafeMutableBufferPointer<UInt8>) {
        precondition(characters.count >= OrderID.characterCount, "an order id has 26 characters")
        var (high, low) = (self.high, self.low)
        for position in (0..<OrderID.characterCount).reversed() {
            characters[position] = OrderID.alphabet[Int(low & 31)]
            low = low >> 5 | high << 59
            high >>= 5
        }
    }
}
