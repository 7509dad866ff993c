import Foundation
import SwiftProtobuf
import Wire

extension Harness {
    /// Messages as their frames: whatever decodes says the same after it was encoded again.
    package static let frames = Harness(name: "frames") { input in
        var count = 0
        for record in Records(input) {
            count += 1
            let frames = FrameHarness.frames(of: record)
            switch record.control & 3 {
            case 0: try FrameHarness.look(at: frames, as: WorkerMessage.self)
            case 1: try FrameHarness.look(at: frames, as: KitchenMessage.self)
            case 2: try FrameHarness.look(at: frames, as: ProducerMessage.self)
            default: try FrameHarness.look(at: frames, as: OrdersMessage.self)
            }
        }
        return count
    }
}

enum FrameHarness {
    static let head = Array(Frames.protocolName.utf8)
    /// Field 1000, of one byte: what a later version may add.
    private static let later: [UInt8] = [0xc2, 0x3e, 1, 0x58]

    static func frames(of record: Records.Record) -> [[UInt8]] {
        switch record.control >> 2 {
        case 0: [Array(record.bytes.prefix(6)), Array(record.bytes.dropFirst(6))]
        case 1: record.bytes.map { [$0] }
        default: [head, record.bytes]
        }
    }

    static func look<Body: Message & Equatable>(at frames: [[UInt8]], as type: Body.Type) throws {
        let message: Body
        do {
            message = try Frames.decode(frames, as: type)
        } catch {
            // Every error says what is wrong, on one line that fits a log.
            try check((10...300).contains(error.description.utf8.count), "\(error)")
            return
        }
        let again = Frames.encode(message)
        try check(try Frames.decode(again, as: type) == message, "another message after encoding: \(message)")
        var extended = frames
        extended[1] += later
        let newer: Body
        do {
            newer = try Frames.decode(extended, as: type)
        } catch {
            throw Harness.Violation(description: "a field of a later version is refused: \(error)")
        }
        try check(
            Frames.encode(newer)[1].suffix(later.count).elementsEqual(later),
            "a field of a later version is lost")
    }
}
