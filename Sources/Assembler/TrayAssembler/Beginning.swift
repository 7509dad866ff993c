import AssemblerCore
import AssemblerStore
import Wire

/// What an assembler begins with.
struct Beginning {
    let incarnation: UInt32
    /// What had not ended.
    let orders: [RestoredOrder]

    /// Begins to write the store: where there is room, and the first commit goes through.
    /// - Returns: `nil` where there is no room; the store can be read then.
    init?(of store: Store, room: Room, at now: WallTime) throws(StoreError) {
        guard room.sufficesForStart else { return nil }
        do throws(StoreError) {
            (incarnation, orders) = try store.begin(at: now)
        } catch .full {
            return nil
        }
    }
}
