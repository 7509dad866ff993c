import CZeroMQ
import Foundation
import Glibc
import Synchronization

/// A way to a port of loopback that can be made bad: a TCP proxy on a thread of its own.
///
/// Safe because sockets and connections are touched on that thread only; orders to it lie behind a lock.
final class Proxy: @unchecked Sendable {
    /// What becomes of the bytes of every connection, those to come included.
    struct Manner: Equatable {
        /// Bytes of clients are read and passed on.
        var forwards = true
        /// Bytes of the server are.
        var answers = true
        /// So long every piece lies here, in either direction.
        var delay = Duration.zero
        /// The port takes connections; else it refuses them.
        var listens = true

        static let good = Manner()
        /// Connections are accepted and stay open, and nothing passes.
        static let stalled = Manner(forwards: false, answers: false)
    }

    private enum Order {
        case manner(Manner), cut, reset, abandon, close
    }

    /// Where clients connect to.
    let endpoint: String
    private let port: UInt16
    private let server: UInt16
    private let wakeUp = eventfd(0, Int32(EFD_NONBLOCK))
    private let orders = Mutex<[Order]>([])
    private let accepted = Mutex(0)
    private let hasEnded = DispatchSemaphore(value: 0)

    private var manner = Manner.good
    private var listener: Int32 = -1
    private var connections: [ProxiedConnection] = []

    /// Begins to take connections to `server`, `tcp://127.0.0.1:PORT`, which need not be there yet.
    init(to server: String) throws {
        guard let port = UInt16(server.split(separator: ":").last ?? "") else { throw POSIXError(.EINVAL) }
        self.server = port
        (listener, self.port) = try Loopback.listen(port: 0)
        endpoint = "tcp://127.0.0.1:\(self.port)"
        Thread.detachNewThread { self.run() }
    }

    /// From now on; connections that stalled go on where they were.
    func behave(_ manner: Manner) { give(.manner(manner)) }

    /// Ends every connection as a process does that exits.
    func cut() { give(.cut) }

    /// Ends every connection at once, with a reset.
    func reset() { give(.reset) }

    /// Leaves every connection that there is as it is for good, open and without a byte; new ones are good.
    func abandon() { give(.abandon) }

    /// Ends all connections and the thread.
    func close() {
        give(.close)
        hasEnded.wait()
    }

    /// Connections taken since the beginning.
    var acceptedCount: Int { accepted.withLock { $0 } }

    private func give(_ order: Order) {
        orders.withLock { $0.append(order) }
        eventfd_write(wakeUp, 1)
    }

    // MARK: On the thread

    private func run() {
        while true {
            wait()
            var count = eventfd_t()
            eventfd_read(wakeUp, &count)
            for order in orders.withLock({ taken(&$0) }) {
                if case .close = order { return end() }
                obey(order)
            }
            acceptAll()
            for connection in connections { connection.work(manner) }
            connections.removeAll { $0.hasEnded }
        }
    }

    private func taken(_ orders: inout [Order]) -> [Order] {
        defer { orders = [] }
        return orders
    }

    private func obey(_ order: Order) {
        switch order {
        case .manner(let new):
            manner = new
            if !new.listens, listener >= 0 {
                Glibc.close(listener)
                listener = -1
            }
            // The port is ours alone; should another process have taken it, the test fails for want of connections.
            if new.listens, listener < 0 { listener = (try? Loopback.listen(port: port).descriptor) ?? -1 }
        case .cut: for connection in connections { connection.end() }
        case .reset: for connection in connections { connection.end(resetting: true) }
        case .abandon: for connection in connections { connection.isAbandoned = true }
        case .close: break
        }
        connections.removeAll { $0.hasEnded }
    }

    private func wait() {
        var items = [pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)]
        items.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
        for connection in connections { items += connection.pollItems(manner) }
        poll(&items, nfds_t(items.count), manner.delay > .zero ? 5 : 1_000)
    }

    private func acceptAll() {
        while listener >= 0 {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            _ = fcntl(client, F_SETFL, O_NONBLOCK)
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            accepted.withLock { $0 += 1 }
            guard let upstream = try? Loopback.connect(port: server) else {
                Glibc.close(client)
                continue
            }
            connections.append(ProxiedConnection(client: client, server: upstream))
        }
    }

    private func end() {
        for connection in connections { connection.end() }
        if listener >= 0 { Glibc.close(listener) }
        Glibc.close(wakeUp)
        hasEnded.signal()
    }
}

/// One client's way to the server and back.
private final class ProxiedConnection {
    private struct Piece {
        let dueAt: ContinuousClock.Instant
        var bytes: ArraySlice<UInt8>
    }

    private static let waitingMax = 1 << 20

    private let client: Int32
    private let server: Int32
    private var toServer: [Piece] = []
    private var toClient: [Piece] = []
    var isAbandoned = false
    private(set) var hasEnded = false

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    func pollItems(_ manner: Proxy.Manner) -> [pollfd] {
        guard !isAbandoned else { return [] }
        let forward = manner.forwards && toServer.isEmpty ? POLLIN : 0
        let back = manner.answers && toClient.isEmpty ? POLLIN : 0
        let clientEvents = forward | (manner.answers && !toClient.isEmpty ? POLLOUT : 0)
        let serverEvents = back | (manner.forwards && !toServer.isEmpty ? POLLOUT : 0)
        // One that nothing is wanted of is not asked: its end would be reported without end.
        return [(client, clientEvents), (server, serverEvents)].filter { $0.1 != 0 && manner.delay == .zero }
            .map { pollfd(fd: $0.0, events: Int16($0.1), revents: 0) }
    }

    func work(_ manner: Proxy.Manner) {
        guard !isAbandoned, !hasEnded else { return }
        if manner.forwards { pass(from: client, to: server, &toServer, manner.delay) }
        if !hasEnded, manner.answers { pass(from: server, to: client, &toClient, manner.delay) }
    }

    func end(resetting: Bool = false) {
        guard !hasEnded else { return }
        hasEnded = true
        for descriptor in [client, server] {
            if resetting {
                var option = linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
            }
            close(descriptor)
        }
    }

    private func pass(from source: Int32, to sink: Int32, _ pieces: inout [Piece], _ delay: Duration) {
        var isOver = false
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while pieces.reduce(0, { $0 + $1.bytes.count }) < ProxiedConnection.waitingMax {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else {
                isOver = count == 0 || errno != EAGAIN
                break
            }
            pieces.append(Piece(dueAt: .now + delay, bytes: buffer[..<count]))
        }
        while let piece = pieces.first, piece.dueAt <= .now {
            let sent = piece.bytes.withUnsafeBytes {
                send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent >= 0 else {
                if errno != EAGAIN { end() }
                return
            }
            pieces[0].bytes = piece.bytes.dropFirst(sent)
            if pieces[0].bytes.isEmpty { pieces.removeFirst() }
        }
        if isOver, pieces.isEmpty { end() }
    }
}

/// TCP on 127.0.0.1.
enum Loopback {
    static func listen(port: UInt16) throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = try socket()
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = address(port: port)
        let isBound = withAddress(&address) { pointer, size in
            var size = size
            return bind(descriptor, pointer, size) == 0 && Glibc.listen(descriptor, 1_000) == 0
                && getsockname(descriptor, pointer, &size) == 0
        }
        guard isBound else { throw failure(closing: descriptor) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// Connected when it returns.
    static func connect(port: UInt16) throws -> Int32 {
        let descriptor = try socket()
        var address = address(port: port)
        let code = withAddress(&address) { Glibc.connect(descriptor, $0, $1) }
        guard code == 0 || errno == EINPROGRESS else { throw failure(closing: descriptor) }
        var item = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&item, 1, 5_000)
        guard item.revents & Int16(POLLERR | POLLHUP) == 0 else { throw failure(closing: descriptor) }
        return descriptor
    }

    private static func socket() throws -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(AF_INET, kind, 0)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return descriptor
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        return address
    }

    private static func withAddress<Result>(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func failure(closing descriptor: Int32) -> POSIXError {
        let code = POSIXErrorCode(rawValue: errno) ?? .EIO
        close(descriptor)
        return POSIXError(code)
    }
}
