import Foundation
import Harnesses
import SwiftProtobuf
import Testing
import Wire

/// Whatever a message holds, it is the same on the other side; what is damaged is refused, or is another message.
@Suite("A message of any kind")
struct MessageTests {
    private static let head = Array(Frames.protocolName.utf8)

    /// Calls `body` with so many messages of each direction.
    private static func each(
        _ count: Int, seed: UInt64, _ body: (any Message & Equatable, inout Generator) throws -> Void
    ) rethrows {
        var generator = Generator(seed: seed)
        for _ in 0..<count {
            try body(generator.workerMessage(), &generator)
            try body(generator.kitchenMessage(), &generator)
            try body(generator.producerMessage(), &generator)
            try body(generator.ordersMessage(), &generator)
        }
    }

    /// The frames after they were decoded and encoded.
    private static func again<Body: Message>(_ frames: [[UInt8]], as message: Body) throws -> [[UInt8]] {
        Frames.encode(try Frames.decode(frames, as: Body.self))
    }

    private static func isSame<Body: Message & Equatable>(_ message: Body, after frames: [[UInt8]]) throws
        -> Bool
    {
        try Frames.decode(frames, as: Body.self) == message
    }

    @Test("is the same after it was sent")
    func roundTrip() throws {
        try MessageTests.each(1_000, seed: 1) { message, _ in
            let isSame = try MessageTests.isSame(message, after: Frames.encode(message))
            #expect(isSame, "\(message)")
        }
    }

    @Test("is of every kind that there is")
    func kinds() {
        var generator = Generator(seed: 1)
        let workers = Set((0..<500).map { _ in MessageTests.kind(generator.workerMessage().body) })
        let kitchens = Set((0..<500).map { _ in MessageTests.kind(generator.kitchenMessage().body) })
        let producers = Set((0..<500).map { _ in MessageTests.kind(generator.producerMessage().body) })
        let answers = Set((0..<500).map { _ in MessageTests.kind(generator.ordersMessage().body) })
        // Those of the contract, and none.
        #expect(workers.count == 7)
        #expect(kitchens.count == 7)
        #expect(producers.count == 11)
        #expect(answers.count == 11)
    }

    private static func kind(_ body: Any?) -> String {
        body.flatMap { Mirror(reflecting: $0).children.first?.label } ?? "none"
    }

    @Test("keeps what a later version has added to it")
    func laterFields() throws {
        try MessageTests.each(300, seed: 2) { message, _ in
            var frames = Frames.encode(message)
            frames[1] += [0xc2, 0x3e, 3, 0x6e, 0x65, 0x77]
            let newer = try MessageTests.again(frames, as: message)
            #expect(newer == frames)
        }
    }

    @Test("that is cut off anywhere is refused, or is a whole message of fewer fields")
    func prefixes() {
        MessageTests.each(30, seed: 3) { message, _ in
            let bytes = Frames.encode(message)[1]
            for count in bytes.indices { MessageTests.look(at: Array(bytes[..<count]), as: message) }
        }
    }

    @Test("with one bit turned is refused, or is another message")
    func bits() {
        MessageTests.each(8, seed: 4) { message, _ in
            var bytes = Frames.encode(message)[1]
            for index in bytes.indices {
                for bit in 0..<8 {
                    bytes[index] ^= 1 << bit
                    MessageTests.look(at: bytes, as: message)
                    bytes[index] ^= 1 << bit
                }
            }
        }
    }

    /// Decodes or throws what can be thrown; what decodes goes round.
    private static func look<Body: Message & Equatable>(at bytes: [UInt8], as message: Body) {
        // Refused is as good as another message.
        guard let other = try? Frames.decode([head, bytes], as: Body.self) else { return }
        // What is refused now is another message, too.
        let again = try? Frames.decode(Frames.encode(other), as: Body.self)
        #expect(again == other)
    }

    @Test("under another name, or in another number of frames, is refused with what was seen")
    func frames() {
        for frames in [[], [MessageTests.head], [MessageTests.head, [], []]] as [[[UInt8]]] {
            #expect(throws: WireError.frameCount(frames.count)) {
                try Frames.decode(frames, as: WorkerMessage.self)
            }
        }
        #expect(throws: WireError.protocolName("TRAY/2??")) {
            try Frames.decode([Array("TRAY/2\u{1b}\n".utf8), []], as: WorkerMessage.self)
        }
        let large = [UInt8](repeating: 0, count: Limits.messageBytesMax + 1)
        #expect(throws: WireError.tooLarge(bytes: large.count)) {
            try Frames.decode([MessageTests.head, large], as: WorkerMessage.self)
        }
    }

    @Test("with more entries than any message needs is refused before they take memory")
    func manyFields() throws {
        let most = WorkerMessage.with {
            $0.started.leases = Array(repeating: LeaseID(), count: Limits.bodyFieldCountMax)
        }
        #expect(try Frames.decode(Frames.encode(most), as: WorkerMessage.self) == most)
        let bytes = Frames.encode(most)[1]
        // One more: in a body of its own, behind a group, and in a body that is cut off.
        let report: [UInt8] = [0x2a, 2, 0x0a, 0]
        for more in [
            bytes + report, report + bytes, [0xc3, 0x3e, 0xc4, 0x3e] + report + bytes,
            bytes + report + [0x2a],
        ] {
            #expect(throws: WireError.tooManyFields) {
                try Frames.decode([MessageTests.head, more], as: WorkerMessage.self)
            }
        }
    }

    @Test("nested a thousand times is refused, not followed")
    func nesting() {
        // A group of an unknown field within a group, and so on.
        let groups = [UInt8](repeating: 0xc3, count: 1) + [0x3e]
        let deep = (0..<1_000).flatMap { _ in groups }
        #expect(throws: WireError.undecodable) {
            try Frames.decode([MessageTests.head, deep], as: WorkerMessage.self)
        }
    }
}

@Suite("An id")
struct IDTests {
    @Test("of an order is the same as 26 letters, in either case, and as 16 bytes")
    func orders() {
        var generator = Generator(seed: 5)
        for _ in 0..<2_000 {
            let id = OrderID(high: generator.next(), low: generator.next())
            #expect(OrderID(id.description) == id)
            #expect(OrderID(id.description.lowercased()) == id)
            #expect(OrderID(id.data) == id)
            #expect(OrderID(Data(id.bytes)) == id)
            // A part of what is longer, wherever it begins.
            #expect(OrderID(Data([1] + id.bytes + [2])[1...16]) == id)
            #expect(OrderID(Data([1, 2, 3] + id.bytes).dropFirst(3)) == id)
        }
    }

    @Test("of an order is nothing that is longer, shorter, or has another letter")
    func noOrders() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
        for text in ["", String(id.dropLast()), id + "0", "8" + id.dropFirst(), "0I" + id.dropFirst(2)] {
            #expect(OrderID(text) == nil)
        }
        for letter in ["U", "-", "é", "\u{0}", "0\u{301}"] {
            #expect(OrderID(id.dropLast() + letter) == nil)
        }
        for count in [0, 1, 15, 17, 200] {
            #expect(OrderID(Data(repeating: 1, count: count)) == nil)
            #expect(OrderID(Data(repeating: 1, count: count + 3).dropFirst(3)) == nil)
        }
    }

    @Test("of leases is greater the younger it is, whatever else a later version has added to it")
    func leases() {
        var generator = Generator(seed: 6)
        for _ in 0..<500 {
            let (left, right) = (generator.leaseID(), generator.leaseID())
            let isOlder = (left.incarnation, left.number) < (right.incarnation, right.number)
            let isLess = left < right
            #expect(isLess == isOlder)
        }
    }
}

@Suite("Versions at hello")
struct VersionTests {
    @Test("have one in common exactly where the ranges meet")
    func ranges() {
        var generator = Generator(seed: 7)
        let ours = Frames.versions
        for _ in 0..<2_000 {
            let theirs = generator.versions()
            let common = Frames.commonVersion(with: theirs)
            let meets =
                theirs.lowest <= theirs.highest && theirs.lowest <= ours.highest
                && theirs.highest >= ours.lowest
            if meets {
                #expect(common == min(ours.highest, theirs.highest))
            } else if theirs.lowest <= theirs.highest {
                #expect(common == nil)
            }
            if let common {
                #expect((ours.lowest...ours.highest).contains(common) && common <= theirs.highest)
            }
        }
    }
}
