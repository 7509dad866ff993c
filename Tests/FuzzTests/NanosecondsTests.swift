import Testing
import Wire

@Suite("The nanoseconds of a duration")
struct NanosecondsTests {
    @Test(
        "are whole, rounded towards zero, and saturate",
        arguments: [
            (0, 0), (999_999_999, 0), (1_000_000_000, 1), (-999_999_999, 0), (-1_000_000_000, -1),
            (-1_500_000_000, -1),
            // Above and below what is reckoned without 128 bits.
            (Int128(UInt64.max), 18_446_744_073), (Int128(UInt64.max) + 1, 18_446_744_073),
            (-Int128(UInt64.max), -18_446_744_073), (18_446_744_074_000_000_000, 18_446_744_074),
            (Int128(Int64.max) * 1_000_000_000, .max), (Int128(Int64.max) * 1_000_000_001, .max),
            (Int128(Int64.min) * 1_000_000_000, .min), (Int128(Int64.min) * 1_000_000_001, .min),
        ] as [(Int128, Int64)])
    func whole(attoseconds: Int128, nanoseconds: Int64) {
        #expect(Duration(attoseconds: attoseconds).nanoseconds == nanoseconds)
    }
}
