import Glibc
import ZeroMQ

/// A connection that ended before it said anything.
struct Stranger: Equatable {
    let host: String
    /// nil: the handshake was done, and nothing followed.
    let failure: MonitorEvent.HandshakeFailure?
}

/// Who is at the other end of each descriptor of an endpoint, as its monitor tells.
struct Callers {
    private var hosts: [Int32: String] = [:]
    /// Of the connection whose end is told next.
    private var failure: MonitorEvent.HandshakeFailure?

    static let unknownHost = "unknown"
    /// What a peer has for its handshake: whoever begins one and stays gets no longer.
    static let handshakeMilliseconds = 5_000

    mutating func accepted(_ descriptor: Int32) { hosts[descriptor] = Callers.host(of: descriptor) }

    /// The disconnection that follows at once names the connection.
    mutating func handshakeFailed(_ reason: MonitorEvent.HandshakeFailure) { failure = reason }

    /// - Returns: who it was, and why its handshake failed, if it did.
    mutating func disconnected(_ descriptor: Int32) -> Stranger {
        defer { failure = nil }
        return Stranger(host: hosts.removeValue(forKey: descriptor) ?? Callers.unknownHost, failure: failure)
    }

    func host(of descriptor: Int32?) -> String {
        descriptor.flatMap { hosts[$0] } ?? Callers.unknownHost
    }

    /// The address at the other end: not its port, which is another with each connection.
    private static func host(of descriptor: Int32) -> String? {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> Int32 in
                guard getpeername(descriptor, pointer, &size) == 0 else { return EAI_SYSTEM }
                guard pointer.pointee.sa_family != sa_family_t(AF_UNIX) else { return EAI_FAMILY }
                return getnameinfo(pointer, size, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            }
        }
        switch code {
        case 0:
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        case EAI_FAMILY: return "this machine"
        // It has gone already.
        default: return nil
        }
    }
}
