/// Where sockets meet: `tcp://HOST:PORT` or `ipc://PATH`.
public enum Endpoint {
    /// What is wrong with `endpoint`, with what is right; nil if nothing is. Says nothing of who listens
    /// there.
    /// - Parameter binding: whether it is to be bound: then HOST may be `*`, and PORT `*` or 0 (the system
    ///   chooses).
    public static func problem(of endpoint: String, binding: Bool = false) -> String? {
        if endpoint.hasPrefix("ipc://") { return problem(ofPath: endpoint.dropFirst(6)) }
        guard endpoint.hasPrefix("tcp://") else {
            return "'\(endpoint)' is no endpoint; write tcp://HOST:PORT or ipc://PATH"
        }
        guard let (host, port) = hostAndPort(of: endpoint) else {
            return "'\(endpoint)' has no port; write tcp://HOST:PORT"
        }
        if let problem = problem(ofHost: host, binding: binding) { return "'\(endpoint)': \(problem)" }
        if binding, port == "*" || port == "0" { return nil }
        guard port.utf8.allSatisfy(isDigit), let number = Int(port), (1...65535).contains(number) else {
            return "'\(endpoint)': the port is a number from \(binding ? 0 : 1) to 65535"
        }
        return nil
    }

    /// The longest path that a socket address holds, in bytes (`sun_path`, with its closing zero).
    private static let pathBytesMax = 107

    private static func problem(ofPath path: Substring) -> String? {
        if path.isEmpty { return "'ipc://' has no path; write ipc://PATH" }
        if path.utf8.count > pathBytesMax {
            return "'ipc://\(path)': a path has at most \(pathBytesMax) bytes"
        }
        return nil
    }

    private static func problem(ofHost host: Substring, binding: Bool) -> String? {
        if host.isEmpty { return "there is no host; write tcp://HOST:PORT" }
        if host == "*" { return binding ? nil : "* can be bound, not connected to; name the host" }
        if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 { return nil }
        let isName = host.utf8.allSatisfy { isLetter($0) || isDigit($0) || "-._".utf8.contains($0) }
        guard isName, let first = host.utf8.first, isLetter(first) || isDigit(first) else {
            return "'\(host)' is no host; write a name, an IPv4 address or an IPv6 address in brackets"
        }
        return nil
    }

    enum AddressFamily {
        case ipv4, ipv6
        /// A name, or no TCP at all.
        case unknown
    }

    static func addressFamily(of endpoint: String) -> AddressFamily {
        guard let (host, _) = hostAndPort(of: endpoint) else { return .unknown }
        if host.hasPrefix("[") { return .ipv6 }
        let isIPv4 = host.utf8.allSatisfy { isDigit($0) || $0 == UInt8(ascii: ".") } && host.contains(".")
        return isIPv4 ? .ipv4 : .unknown
    }

    private static func hostAndPort(of endpoint: String) -> (host: Substring, port: Substring)? {
        guard endpoint.hasPrefix("tcp://") else { return nil }
        let address = endpoint.dropFirst(6)
        guard let colon = address.lastIndex(of: ":") else { return nil }
        return (address[..<colon], address[address.index(after: colon)...])
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
