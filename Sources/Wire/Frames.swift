import Foundation
import SwiftProtobuf

/// What a peer sent that is not of the contract.
public enum WireError: Error, Equatable, Sendable {
    case frameCount(Int)
    /// Frame 0 names another protocol: its first bytes, made printable.
    case protocolName(String)
    case tooLarge(bytes: Int)
    /// The message's body has more fields than any message needs.
    case tooManyFields
    /// Frame 1 is not a message of the contract.
    case undecodable
    /// A message without a body, or with one of a later version.
    case unknownBody
}

extension WireError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .frameCount(let count): "a message has 2 frames, protocol and body; this one has \(count)"
        case .protocolName(let seen): "frame 0 is '\(Frames.protocolName)'; this one begins '\(seen)'"
        case .tooLarge(let bytes):
            "a message has at most \(Limits.messageBytesMax) bytes; this one has \(bytes)"
        case .tooManyFields:
            "a message's body has at most \(Limits.bodyFieldCountMax) fields; this one has more"
        case .undecodable: "frame 1 is not a protobuf message of the contract"
        case .unknownBody: "the message's body is missing or of a later version"
        }
    }
}

/// A message on the wire: frame 0 names the protocol, frame 1 is one protobuf message.
public enum Frames {
    public static let protocolName = "TRAY/1"
    /// The versions that this code speaks.
    public static let versions = VersionRange.with {
        $0.lowest = 1
        $0.highest = 1
    }

    private static let head = Array(protocolName.utf8)

    /// The frames of `message`.
    public static func encode(_ message: some Message) -> [[UInt8]] {
        do {
            return [head, try message.serializedBytes()]
        } catch {
            preconditionFailure("a message of our own does not encode: \(error)")
        }
    }

    /// The message of `frames`, routing frames taken off.
    public static func decode<Body: Message>(
        _ frames: [[UInt8]], as type: Body.Type
    ) throws(WireError) -> Body {
        guard frames.count == 2 else { throw .frameCount(frames.count) }
        guard frames[0] == head else { throw .protocolName(printable(frames[0])) }
        guard frames[1].count <= Limits.messageBytesMax else { throw .tooLarge(bytes: frames[1].count) }
        guard FieldCount.isAtMost(Limits.bodyFieldCountMax, in: frames[1]) else { throw .tooManyFields }
        do {
            return try Body(serializedBytes: frames[1])
        } catch {
            throw .undecodable
        }
    }

    private static func printable(_ frame: [UInt8]) -> String {
        String(
            decoding: frame.prefix(16).map { (32..<127).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self
        )
    }

    /// The highest version that both know, or `nil`.
    public static func commonVersion(with theirs: VersionRange) -> UInt32? {
        let highest = min(versions.highest, theirs.highest)
        return highest >= max(versions.lowest, theirs.lowest) ? highest : nil
    }
}

extension OrderID {
    /// From a message's field; `nil` where it is not 16 bytes.
    public init?(_ field: Data) {
        guard field.count == OrderID.byteCount else { return nil }
        // Two words where they stand: every result brings an id.
        let bytes = field.bytes
        self.init(
            high: UInt64(bigEndian: bytes.unsafeLoadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    /// For a message's field.
    public var data: Data { withBytes { Data($0) } }
}

extension LeaseID: Comparable {
    public init(incarnation: UInt32, number: UInt64) {
        self = LeaseID.with {
            $0.incarnation = incarnation
            $0.number = number
        }
    }

    /// Its fields alone: the generated one walks through the message.
    public func hash(into hasher: inout Hasher) { LeaseKey(self).hash(into: &hasher) }

    /// Younger leases are greater.
    public static func < (left: LeaseID, right: LeaseID) -> Bool {
        LeaseKey(left) < LeaseKey(right)
    }

    /// As handlers see it: `incarnation-number`.
    public var text: String { LeaseKey(self).text }
}

extension OrderStatus {
    public var hasEnded: Bool { self != .running }

    /// As the command line writes it.
    public var text: String {
        switch self {
        case .running: "running"
        case .complete: "complete"
        case .partial: "partial"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .expired: "expired"
        case .UNRECOGNIZED(let value): "unknown-\(value)"
        }
    }
}

extension ItemStatus {
    public var isSettled: Bool { self != .waiting && self != .leased }

    /// As the command line writes it.
    public var text: String {
        switch self {
        case .waiting: "waiting"
        case .leased: "leased"
        case .done: "done"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .expired: "expired"
        case .poisoned: "poisoned"
        case .UNRECOGNIZED(let value): "unknown-\(value)"
        }
    }
}

extension FailureKind {
    /// As the command line writes it.
    public var text: String {
        switch self {
        case .unspecified, .failed: "failed"
        case .timeout: "timeout"
        case .poisoned: "poisoned"
        case .expired: "expired"
        case .cancelled: "cancelled"
        case .UNRECOGNIZED(let value): "unknown-\(value)"
        }
    }
}
