/// Pauses between attempts: 20 ms, doubling to 1 s, each shortened at random by up to half, so that the
/// clients of a server that comes back do not all come at once.
struct BackOff {
    private static let first = Duration.milliseconds(20)
    private static let longest = Duration.seconds(1)

    private var pause = first
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> Duration {
        defer { pause = min(pause * 2, Self.longest) }
        return pause / 2 + pause / 2 * Double(random() >> 11) / 0x1p53
    }

    mutating func reset() {
        pause = Self.first
    }

    /// SplitMix64.
    private mutating func random() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
