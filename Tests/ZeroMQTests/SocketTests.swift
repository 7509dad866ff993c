import Foundation
import Testing
import ZeroMQ

@Suite("Sockets")
struct SocketTests {
    @Test("a message of several frames comes back whole, empty frames included")
    func echo() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(context, .dealer)
        try dealer.connect(try router.boundEndpoint)
        let large = [UInt8](repeating: 7, count: 300_000)

        expectSent(dealer.send([[1, 2, 3], [], large]))
        let request = try #require(try waitForMessage(at: router))
        #expect(Array(request.frames.dropFirst()) == [[1, 2, 3], [], large])
        expectSent(router.send([request.frames[0], [4], []]))

        #expect(try waitForMessage(at: dealer)?.frames == [[4], []])
    }

    @Test("the bound endpoint is the one that was asked for, with the port that the system chose")
    func boundEndpoint() throws {
        let context = try Context()
        let ipv4 = try Socket(context, .router)
        try ipv4.bind("tcp://127.0.0.1:0")
        #expect(try ipv4.boundEndpoint.hasPrefix("tcp://127.0.0.1:"))
        #expect(try !ipv4.boundEndpoint.hasSuffix(":0"))
    }

    @Test("binding a taken port throws, and names the endpoint")
    func bindTwice() throws {
        let context = try Context()
        let first = try Socket(context, .router)
        try first.bind("tcp://127.0.0.1:*")
        let endpoint = try first.boundEndpoint
        let second = try Socket(context, .router)
        let error = #expect(throws: ZeroMQError.self) { try second.bind(endpoint) }
        #expect(error?.code == EADDRINUSE)
        #expect(error?.description.hasPrefix("bind \(endpoint): Address already in use; ") == true)
    }

    @Test("a linger without limit is refused (FM-55)")
    func endlessLinger() throws {
        let socket = try Socket(try Context(), .dealer)
        #expect(throws: ZeroMQError.self) { try socket.set(.linger, -1) }
    }

    @Test("a send to an unknown peer is unreachable (FM-51)")
    func unknownPeer() throws {
        let router = try Socket(try Context(), .router)
        try router.bind("tcp://127.0.0.1:*")
        #expect(router.send([[9, 9, 9, 9, 9], [1]]).isUnreachable)
        #expect(try router.receive() == nil)
    }

    @Test("a peer that does not read makes sends full, and gets every message that was sent, whole (FM-51)")
    func highWaterMark() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        try router.set(.sendHighWaterMark, 10)
        try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(context, .dealer)
        try dealer.set(.receiveHighWaterMark, 10)
        try dealer.connect(try router.boundEndpoint)
        expectSent(dealer.send([[1]]))
        let peer = try #require(try waitForMessage(at: router)).frames[0]

        let payload = [UInt8](repeating: 1, count: 100_000)
        var sentCount = 0
        while case .sent = router.send([peer, [UInt8(sentCount % 256)], payload]) {
            sentCount += 1
            try #require(sentCount < 10_000)
        }
        #expect(router.send([peer, [0], payload]).isFull)

        for index in 0..<sentCount {
            let message = try #require(try waitForMessage(at: dealer))
            #expect(message.frames.map(\.count) == [1, 100_000])
            #expect(message.frames[0] == [UInt8(index % 256)])
        }
        #expect(try dealer.receive() == nil)
        // There is room again, once the reader has told the writer so.
        try waitUntil { router.send([peer, [1], [2]]).isSent }
        #expect(try waitForMessage(at: dealer)?.frames == [[1], [2]])
    }

    @Test("a dealer without a peer is full, not blocked")
    func noPeer() throws {
        let dealer = try Socket(try Context(), .dealer)
        #expect(dealer.send([[1], [2]]).isFull)
    }

    @Test("a subscriber hears a publisher")
    func publish() throws {
        let context = try Context()
        let publisher = try Socket(context, .xpub)
        try publisher.bind("tcp://127.0.0.1:*")
        let subscriber = try Socket(context, .sub)
        try subscriber.subscribe(to: [5])
        try subscriber.connect(try publisher.boundEndpoint)
        #expect(try waitForMessage(at: publisher)?.frames == [[1, 5]], "the subscription")
        expectSent(publisher.send([[4], [6]]))
        expectSent(publisher.send([[5, 5], [6]]))
        #expect(try waitForMessage(at: subscriber)?.frames == [[5, 5], [6]])
    }

    @Test("shutdown is bounded by the linger, though messages cannot be delivered (FM-55)")
    func boundedShutdown() throws {
        let start = ContinuousClock.now
        do {
            let context = try Context()
            let unread = try Socket(context, .dealer)
            try unread.connect("tcp://127.0.0.1:1")
            expectSent(unread.send([[1]]))
            let lingering = try Socket(context, .dealer)
            try lingering.set(.linger, 100)
            try lingering.connect("tcp://127.0.0.1:1")
            expectSent(lingering.send([[1]]))
        }
        let elapsed = ContinuousClock.now - start
        #expect(elapsed >= .milliseconds(90))
        #expect(elapsed < .seconds(2))
    }

    #if !os(iOS)
        @Test("using a socket off its thread traps (FM-54)")
        func wrongThread() async {
            await #expect(processExitsWith: .failure) {
                let socket = try Socket(try Context(), .dealer)
                let box = Box(socket)
                let thread = Thread { _ = box.socket.send([[1]]) }
                thread.start()
                while !thread.isFinished { usleep(1000) }
            }
        }
    #endif

    @Test("the loaded libzmq is the 4.3 that this is written for")
    func version() {
        #expect(zeroMQVersion.major == 4 && zeroMQVersion.minor >= 3)
    }
}

/// Carries a socket to another thread, against the rules.
///
/// Safe because the process that does so ends at the first use there: that is what is tested.
private final class Box: @unchecked Sendable {
    let socket: Socket
    init(_ socket: consuming Socket) { self.socket = socket }
}
