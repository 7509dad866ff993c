import AssemblerCore
import Foundation
import Wire

/// Which slots a batch of outcomes settled, packed: 4 bytes of index, most significant first, and 1 of status
/// each.
///
/// A restart reads these and leaves the results where they are.
enum SettledSlots {
    private static let byteCount = 5

    static func pack(_ outcomes: [Outcome]) -> Data {
        var data = Data(capacity: outcomes.count * byteCount)
        for outcome in outcomes {
            withUnsafeBytes(of: outcome.index.bigEndian) { data.append(contentsOf: $0) }
            data.append(UInt8(truncatingIfNeeded: outcome.status.rawValue))
        }
        return data
    }

    /// `nil` where `data` is no such list.
    static func unpack(_ data: Data) -> [RestoredOrder.Settled]? {
        guard data.count.isMultiple(of: byteCount) else { return nil }
        var slots: [RestoredOrder.Settled] = []
        slots.reserveCapacity(data.count / byteCount)
        for start in stride(from: data.startIndex, to: data.endIndex, by: byteCount) {
            let index = data[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            guard let status = ItemStatus(rawValue: Int(data[start + 4])), isSettling(status) else {
                return nil
            }
            slots.append(RestoredOrder.Settled(index: index, status: status))
        }
        return slots
    }

    static func isSettling(_ status: ItemStatus) -> Bool {
        switch status {
        case .done, .failed, .cancelled, .expired, .poisoned: true
        case .waiting, .leased, .UNRECOGNIZED: false
        }
    }
}
