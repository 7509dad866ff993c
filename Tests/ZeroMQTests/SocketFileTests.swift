import Foundation
import Glibc
import Testing
import ZeroMQ

@Suite("The file of an ipc:// endpoint")
struct SocketFileTests {
    private let path = "/tmp/tray-\(UUID().uuidString.prefix(8))"
    private var endpoint: String { "ipc://\(path)" }

    @Test("where somebody listens it is not taken over: binding fails, and the first one hears on")
    func inUse() throws {
        let context = try Context()
        let first = try Socket(context, .router)
        try first.bind(endpoint)
        // In another context, as of another process.
        let second = try Socket(try Context(), .router)
        let error = try #require(throws: ZeroMQError.self) { try second.bind(endpoint) }
        #expect(error.code == EADDRINUSE)
        #expect("\(error)".contains("another process listens there"))

        let peer = try Socket(context, .dealer)
        try peer.connect(endpoint)
        expectSent(peer.send([[1]]))
        #expect(try waitForMessage(at: first)?.frames.last == [1])
    }

    @Test("left behind by the dead it is taken")
    func stale() throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(code == 0)
        close(descriptor)
        #expect(FileManager.default.fileExists(atPath: path))
        let router = try Socket(try Context(), .router)
        try router.bind(endpoint)
    }

    @Test("that is no socket stays as it is")
    func noSocket() throws {
        try Data("notes".utf8).write(to: URL(filePath: path))
        defer { unlink(path) }
        let router = try Socket(try Context(), .router)
        let error = try #require(throws: ZeroMQError.self) { try router.bind(endpoint) }
        #expect(error.code == EEXIST)
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("notes".utf8))
    }
}
