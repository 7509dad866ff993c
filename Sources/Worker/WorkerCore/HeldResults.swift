import DequeModule
import Wire

/// Results that the assembler has not acknowledged yet.
///
/// A result is queued when it is new, when its lease is sent again, and after every reconnect. It stays held
/// until its acknowledgement, however often it was sent.
struct HeldResults: Equatable {
    private struct Held: Equatable {
        let result: ItemResult
        /// Its handler had begun.
        let hasStarted: Bool
        /// What the result takes on the wire, within a few bytes.
        let byteCount: Int
        var isQueued = true

        init(_ result: ItemResult, hasStarted: Bool) {
            (self.result, self.hasStarted) = (result, hasStarted)
            byteCount = result.approximateByteCount
        }
    }

    private var held: [LeaseKey: Held] = [:]
    /// What goes out next. What was acknowledged while it waited here is skipped.
    private var queue: Deque<LeaseKey> = []
    private(set) var byteCount = 0
    private(set) var isHoldingBack = false

    var count: Int { held.count }
    var isEmpty: Bool { held.isEmpty }

    func contains(_ lease: LeaseKey) -> Bool { held.keys.contains(lease) }

    /// For the hello, in the order of the leases.
    var claims: [Claim] {
        held.sorted { $0.key < $1.key }.map { _, held in
            Claim.with {
                $0.lease = held.result.lease
                $0.order = held.result.order
                $0.index = held.result.index
                $0.started = held.hasStarted
            }
        }
    }

    mutating func hold(_ result: ItemResult, hasStarted: Bool) {
        let lease = LeaseKey(result.lease)
        let new = Held(result, hasStarted: hasStarted)
        if case .some = held.updateValue(new, forKey: lease) {
            preconditionFailure("lease \(lease.text) has ended twice")
        }
        byteCount += new.byteCount
        queue.append(lease)
    }

    /// - Returns: `false` when it is not held: a result that was sent twice is acknowledged twice.
    mutating func acknowledge(_ lease: LeaseKey) -> Bool {
        guard let result = held.removeValue(forKey: lease) else { return false }
        byteCount -= result.byteCount
        return true
    }

    mutating func queueAgain(_ lease: LeaseKey) {
        guard held[lease]?.isQueued == false else { return }
        held[lease]?.isQueued = true
        queue.append(lease)
    }

    /// After a reconnect: whatever was sent may have been lost.
    mutating func queueAll() {
        queue = Deque(held.keys.sorted())
        for lease in queue { held[lease]?.isQueued = true }
    }

    /// Takes what is queued, as much as one message should carry; `nil` when nothing is.
    mutating func nextBatch() -> ResultBatch? {
        var batch = ResultBatch()
        var batchBytes = 0
        while let lease = queue.first, batch.results.count < Limits.batchCountMax {
            guard let place = held.index(forKey: lease) else {
                queue.removeFirst()
                continue
            }
            let byteCount = held.values[place].byteCount
            guard batch.results.isEmpty || batchBytes + byteCount <= Limits.batchBytesAim else { break }
            queue.removeFirst()
            held.values[place].isQueued = false
            batchBytes += byteCount
            batch.results.append(held.values[place].result)
        }
        return batch.results.isEmpty ? nil : batch
    }

    enum PressureAction: Equatable { case holdBack, askAgain, keep }

    /// Too many results held: no more work until fewer than half of the limit are left.
    mutating func judgePressure() -> PressureAction {
        let isFull = count >= Limits.heldResultCountMax || byteCount >= Limits.heldResultBytesMax
        let isLow = count < Limits.heldResultCountMax / 2 && byteCount < Limits.heldResultBytesMax / 2
        if !isHoldingBack && isFull {
            isHoldingBack = true
            return .holdBack
        }
        if isHoldingBack && isLow {
            isHoldingBack = false
            return .askAgain
        }
        return .keep
    }
}

extension ItemResult {
    /// What it takes on the wire, within a few bytes.
    fileprivate var approximateByteCount: Int {
        let fieldBytes = 64
        return switch ending {
        case .done(let content)?: content.data.count + fieldBytes
        case .failed(let failure)?: failure.error.message.utf8.count + fieldBytes
        case .returned?, nil: fieldBytes
        }
    }
}
