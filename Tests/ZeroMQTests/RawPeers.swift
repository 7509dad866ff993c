import Foundation
import ZeroMQ

/// A TCP connection to a ZeroMQ socket, made by hand.
struct RawConnection: ~Copyable {
    private let descriptor: Int32

    init(to endpoint: String) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: UInt16(endpoint.split(separator: ":")[2]) ?? 0)
        let code = withAddress(&address) { connect(descriptor, $0, $1) }
        guard code == 0 else { throw CocoaError(.fileReadUnknown) }
    }

    deinit { close(descriptor) }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}

/// A TCP server that speaks no ZeroMQ.
struct RawListener: ~Copyable {
    private let descriptor: Int32
    let endpoint: String

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: 0)
        let code = withAddress(&address) { pointer, size in
            var size = size
            guard bind(descriptor, pointer, size) == 0, listen(descriptor, 10) == 0 else { return Int32(-1) }
            return getsockname(descriptor, pointer, &size)
        }
        self.descriptor = descriptor
        endpoint = "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        guard code == 0 else { throw CocoaError(.fileReadUnknown) }
    }

    deinit { close(descriptor) }

    /// Takes the next connection, says `text`, and waits until the other side has had enough.
    func accept(answering text: String = "") {
        let connection = Glibc.accept(descriptor, nil, nil)
        let bytes = Array(text.utf8)
        _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        var buffer = [UInt8](repeating: 0, count: 1_024)
        while recv(connection, &buffer, buffer.count, 0) > 0 {}
        close(connection)
    }
}

private func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    return address
}

private func withAddress<Result>(
    _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
