import AssemblerCore
import Wire

/// One connection of a client to a door of the assembler.
struct Connection {
    /// One direction: what is sent arrives in its order.
    struct Channel {
        /// When a message that is sent now arrives; `nil`: never.
        mutating func arrival(earliest: Instant) -> Instant? {
            let arrival = max(earliest, Instant(nanoseconds: lastArrival.nanoseconds + 1))
            lastArrival = arrival
            if let lostAfter, arrival > lostAfter { return nil }
            waitingCount += 1
            return arrival
        }

        var lastArrival = Instant(nanoseconds: 0)
        /// What would arrive later is lost.
        var lostAfter: Instant?
        /// Sent, and not arrived.
        var waitingCount = 0
    }

    let client: Party
    let clientProcess: Int
    let assemblerProcess: Int
    let door: Door
    /// By what the assembler's core knows it; `nil` before its first message, and where it was forgotten.
    var known: ConnectionID?
    var isOpenForClient = true
    var isOpenForAssembler = true
    /// Nothing passes any more, and nobody has been told.
    var isDead = false
    var toAssembler = Channel()
    var toClient = Channel()

    enum Door { case kitchen, orders }
}

/// A client's way to the assembler: it connects by itself, again and again, as `Link` of ZeroMQ does.
struct SimulatedLink {
    enum Phase: Equatable {
        case waiting
        case open(Int)
        case closed
    }

    var phase = Phase.closed
    private var pause = first

    private static let first = Duration.milliseconds(20)
    private static let longest = Duration.seconds(1)

    var connection: Int? {
        if case .open(let connection) = phase { connection } else { nil }
    }

    mutating func nextPause(_ dice: inout Dice) -> Duration {
        defer { pause = min(pause * 2, SimulatedLink.longest) }
        return pause / 2 + pause / 2 * dice.number(0...1_000) / 1_000
    }

    mutating func opened(_ connection: Int) {
        phase = .open(connection)
        pause = SimulatedLink.first
    }
}

extension World {
    /// Sends to the assembler. What is sent on a dead connection is lost.
    mutating func sendToAssembler(_ frames: [[UInt8]], on connection: Int) {
        guard let earliest = earliestArrival(on: connection, from: now.instant),
            let arrival = connections[connection].toAssembler.arrival(earliest: earliest)
        else { return }
        schedule.set(.toAssembler(connection: connection, frames), at: arrival)
    }

    mutating func sendToClient(_ frames: [[UInt8]], on connection: Int, from departure: Instant) {
        guard let earliest = earliestArrival(on: connection, from: departure),
            let arrival = connections[connection].toClient.arrival(earliest: earliest)
        else { return }
        schedule.set(.toClient(connection: connection, frames), at: arrival)
    }

    /// - Returns: `nil` where the cable is cut and the connection will not survive it.
    private mutating func earliestArrival(on connection: Int, from departure: Instant) -> Instant? {
        let earliest = departure.nanoseconds + delay()
        guard !cuts.isEmpty, let cutUntil = cuts[connections[connection].client], cutUntil > departure else {
            return Instant(nanoseconds: earliest)
        }
        guard !connections[connection].isDead else { return nil }
        return Instant(nanoseconds: max(earliest, cutUntil.nanoseconds + delay()))
    }

    /// In nanoseconds: drawn for every message, and a `Duration` is slow to come from and to turn into a number.
    private mutating func delay() -> Int64 {
        guard isFaulty, plan.has(.delays) else { return Int64(networkDice.number(20...600)) * 1_000 }
        return switch networkDice.number(0...99) {
        case 0: Int64(networkDice.number(500...4_000)) * 1_000_000
        case 1...6: Int64(networkDice.number(5...200)) * 1_000_000
        default: Int64(networkDice.number(20...2_000)) * 1_000
        }
    }

    /// Ends a connection.
    /// - Parameter side: who ends it: what the other side had sent is lost.
    /// - Parameter isTold: the other side hears of it; else it has to notice.
    mutating func end(_ connection: Int, by side: Side, isTold: Bool) {
        let other: WritableKeyPath<Connection, Connection.Channel>
        let own: WritableKeyPath<Connection, Connection.Channel>
        switch side {
        case .client:
            guard connections[connection].isOpenForClient else { return }
            connections[connection].isOpenForClient = false
            (own, other) = (\.toAssembler, \.toClient)
        case .assembler:
            guard connections[connection].isOpenForAssembler else { return }
            connections[connection].isOpenForAssembler = false
            (own, other) = (\.toClient, \.toAssembler)
        }
        connections[connection][keyPath: other].lostAfter = now.instant
        // Its last messages: all, none, or some.
        let last = connections[connection][keyPath: own].lastArrival
        var limit = max(last, now.instant)
        if isFaulty, networkDice.chance(50) {
            let span = now.instant.duration(to: limit)
            limit = now.instant.advanced(by: span * networkDice.number(0...100) / 100)
        }
        connections[connection][keyPath: own].lostAfter = limit
        guard isTold, !connections[connection].isDead else {
            connections[connection].isDead = true
            return
        }
        let hearing = limit.advanced(by: networkDice.microseconds(20...2_000))
        switch side {
        case .client: schedule.set(.assemblerHearsEnd(connection: connection), at: hearing)
        case .assembler: schedule.set(.clientHearsEnd(connection: connection), at: hearing)
        }
    }

    enum Side { case client, assembler }

    /// The network ends a connection: both sides hear of it.
    mutating func drop(_ connection: Int) {
        guard connections[connection].isOpenForClient, connections[connection].isOpenForAssembler else {
            return
        }
        trace.line("network", "connection \(connection) of \(connections[connection].client.text) drops")
        connections[connection].toAssembler.lostAfter = limit(connections[connection].toAssembler)
        connections[connection].toClient.lostAfter = limit(connections[connection].toClient)
        for (channel, event) in [
            (connections[connection].toAssembler, Event.assemblerHearsEnd(connection: connection)),
            (connections[connection].toClient, .clientHearsEnd(connection: connection)),
        ] {
            let hearing = max(channel.lostAfter ?? now.instant, now.instant)
            schedule.set(event, at: hearing.advanced(by: networkDice.microseconds(20...50_000)))
        }
    }

    private mutating func limit(_ channel: Connection.Channel) -> Instant {
        let span = max(.zero, now.instant.duration(to: channel.lastArrival))
        return now.instant.advanced(by: span * networkDice.pick([0, 50, 100]) / 100)
    }

    /// The party cannot reach the assembler, nor be reached, for so long.
    mutating func cut(_ party: Party, for span: Duration) {
        let until = now.instant.advanced(by: span)
        guard cuts[party].map({ $0 < now.instant }) ?? true else { return }
        cuts[party] = until
        guard let connection = link(of: party)?.connection else { return }
        let survives = faultDice.chance(50)
        trace.line(party, "is cut off for \(span); its connection \(survives ? "survives" : "does not")")
        guard !survives else { return }
        connections[connection].isDead = true
        connections[connection].toAssembler.lostAfter = now.instant
        connections[connection].toClient.lostAfter = now.instant
        // When the cable is back, each side that speaks hears that the other knows nothing.
        if faultDice.chance(80) { schedule.set(.clientHearsEnd(connection: connection), at: until) }
        if faultDice.chance(50) { schedule.set(.assemblerHearsEnd(connection: connection), at: until) }
    }

    /// Tries to connect, after the link's pause.
    mutating func connectLater(_ party: Party, after pause: Duration? = nil) {
        switch party {
        case .assembler: return
        case .worker(let index):
            let wait = pause ?? workers[index].link.nextPause(&networkDice)
            workers[index].link.phase = .waiting
            schedule.set(
                .connect(party, process: workers[index].process), at: now.instant.advanced(by: wait))
        case .producer(let index):
            let wait = pause ?? producers[index].link.nextPause(&networkDice)
            producers[index].link.phase = .waiting
            schedule.set(
                .connect(party, process: producers[index].process), at: now.instant.advanced(by: wait))
        }
    }

    mutating func connect(_ party: Party, process: Int) {
        guard isAlive(party, process: process), link(of: party)?.phase == .waiting else { return }
        guard !frozen.contains(party) else {
            return held[party, default: []].append(.connect(party, process: process))
        }
        let isCut = cuts[party].map { $0 > now.instant } ?? false
        guard assembler.isListening, !frozen.contains(.assembler), !isCut else { return connectLater(party) }
        let number = connections.count
        let door: Connection.Door
        switch party {
        case .worker(let index):
            door = .kitchen
            workers[index].link.opened(number)
            workers[index].arrivals.append(.opened)
        case .producer(let index):
            door = .orders
            producers[index].link.opened(number)
            producers[index].arrivals.append(.opened)
        case .assembler: return
        }
        connections.append(
            Connection(
                client: party, clientProcess: process, assemblerProcess: assembler.process, door: door))
        wake(party, at: now.instant)
    }
}
