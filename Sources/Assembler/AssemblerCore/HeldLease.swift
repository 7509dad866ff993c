import Wire

/// A lease as its worker holds it. It outlives its slot: the place that it takes comes back when the handler
/// has ended.
///
///     running ──revoke──▶ revoked ──end──▶ (gone)
///        └──────────────end─────────────────▲
struct HeldLease: Equatable {
    enum State: Equatable {
        /// Its slot counts on it. Can go to `revoked`, or end.
        case running
        /// The worker has been told to stop. Can only end.
        case revoked
    }

    struct Positions: Equatable {
        let tray: Int
        let session: Int
    }

    let key: LeaseKey
    let item: ItemKey
    let station: StationIndex
    let connection: ConnectionID
    /// Where its worker stood at the station; places move up when one before them goes.
    let place: Int
    /// Where its tray and its worker's session stood in their tables.
    let positions: Positions
    let attempt: Int
    let leasedAt: Moment
    private(set) var state = State.running
    /// The worker said that its handler has begun.
    var hasStarted = false

    /// - Returns: whether the worker has to be told: `false` when it was told before.
    mutating func revoke() -> Bool {
        guard state == .running else { return false }
        state = .revoked
        return true
    }
}
