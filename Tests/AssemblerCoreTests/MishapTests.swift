import Seeded
import Testing
import Wire

@testable import AssemblerCore

@Suite("Whatever happens to orders and workers")
struct MishapTests {
    @Test(
        "every order ends once, with one outcome in every slot, and none is left waiting (FM-05, FM-12, FM-43)",
        arguments: 1...40 as ClosedRange<UInt64>)
    func anything(seed: UInt64) {
        var night = Night(seed: seed)
        for _ in 0..<150 { night.mishap() }
        #expect(night.accepted.count > 3, "no orders, no test")
        night.recover()
        for (order, itemCount) in night.accepted {
            #expect(night.served[order] == 1, "\(order)")
            let outcomes = night.outcomes[order] ?? []
            #expect(outcomes.map(\.landing) == (0..<itemCount).map { UInt32($0) + 1 })
            #expect(Set(outcomes.map(\.index)).count == itemCount)
        }
        #expect(night.shop.core.trays.isEmpty)
        #expect(night.shop.core.leases.isEmpty)
        #expect(night.shop.core.openItems == (0, 0))
    }
}

/// Orders, workers and mishaps in an order that a seed decides, and what holds after every round of them.
private struct Night {
    private struct Worker {
        let connection: ConnectionID
        let instance: UInt8
        /// What it got, and has not ended.
        var held: [Grant] = []
    }

    private(set) var shop = Shop()
    private(set) var accepted: [(order: OrderID, itemCount: Int)] = []
    private(set) var outcomes: [OrderID: [Outcome]] = [:]
    private(set) var served: [OrderID: Int] = [:]
    private var workers: [Worker] = []
    /// Leases that their workers ended, lost, or were told to stop: somebody may still speak of them.
    private var old: [Grant] = []
    private var lastInstance: UInt8 = 0
    private var chance: SplitMix

    init(seed: UInt64) { chance = SplitMix(seed: seed) }

    // MARK: What happens

    mutating func mishap() {
        switch chance.below(12) {
        case 0: submit()
        case 1: join()
        case 2, 3, 4: end()
        case 5: begin()
        case 6: leave()
        case 7: comeBack()
        case 8: tellAgain()
        case 9: cancel()
        case 10: pass(.milliseconds(2_100), isHeard: false)
        default: pass(.milliseconds(Int64(chance.below(900))), isHeard: true)
        }
    }

    /// The mishaps are over: two good workers are there, and whatever is open is theirs to do.
    mutating func recover() {
        for worker in workers { round(.disconnected(worker.connection)) }
        for _ in 0..<2 { join(["grill": 5, "fryer": 5]) }
        for _ in 0..<1_000 where served.count < accepted.count {
            pass(.milliseconds(250), isHeard: true)
            for index in workers.indices {
                let grants = workers[index].held
                workers[index].held = []
                round(of: grants.map { shop.done(workers[index].connection, $0) })
            }
        }
        round()
        round()
    }

    private mutating func submit() {
        let items = (0..<chance.below(9)).map { _ in
            Item.with {
                $0.station = chance.below(2) == 0 ? "grill" : "fryer"
                $0.attemptsMax = UInt32(1 + chance.below(3))
            }
        }
        let order = shop.newOrderID()
        let submit = Shop.submit(order, items) {
            switch chance.below(6) {
            case 0: $0.failure = .failFast
            case 1: ($0.failure, $0.tolerated) = (.tolerateCount, 1)
            case 2: $0.enough = UInt32(items.count / 2)
            case 3: $0.maxParallel = 1
            default: break
            }
        }
        accepted.append((order, items.count))
        let producer = shop.connection()
        round(shop.asks(producer, .hello(ProducerHello.with { $0.versions = Frames.versions })))
        round(shop.asks(producer, .submit(submit)))
    }

    private mutating func join() {
        let stations = [["grill": 1], ["fryer": 2], ["grill": 3, "fryer": 1]]
        join(stations[chance.below(3)])
    }

    private mutating func join(_ stations: [String: Int], as instance: UInt8? = nil, running: [Grant] = []) {
        lastInstance += instance == nil ? 1 : 0
        let claims = running.map { grant in
            Claim.with {
                ($0.lease, $0.order, $0.index) = (grant.lease, grant.order.data, UInt32(grant.index))
                $0.started = true
            }
        }
        let (connection, step) = shop.worker(
            "w", stations, instance: instance ?? lastInstance, running: claims)
        workers.append(Worker(connection: connection, instance: instance ?? lastInstance, held: running))
        take(step)
        round()
    }

    /// One attempt ends, in any way that there is.
    private mutating func end() {
        guard let index = anybody(), !workers[index].held.isEmpty else { return }
        let worker = workers[index].connection
        let grant = workers[index].held.remove(at: chance.below(workers[index].held.count))
        old.append(grant)
        switch chance.below(6) {
        case 0: round(shop.failed(worker, grant))
        case 1: round(shop.failed(worker, grant, permanent: true))
        case 2: round(shop.returned(worker, grant, .revoked))
        default: round(shop.done(worker, grant))
        }
    }

    private mutating func begin() {
        guard let index = anybody() else { return }
        round(shop.started(workers[index].connection, workers[index].held))
    }

    /// A worker ends, reads too slowly, or goes in good order.
    private mutating func leave() {
        guard let index = anybody() else { return }
        let worker = workers.remove(at: index)
        old += worker.held
        switch chance.below(4) {
        case 0: round(.unreachable(worker.connection))
        case 1: round(shop.says(worker.connection, .farewell(Farewell())))
        default: round(.disconnected(worker.connection))
        }
    }

    /// A process on a new connection, with or without word of the old one's end; it may have forgotten a lease.
    private mutating func comeBack() {
        guard let index = anybody() else { return }
        let worker = workers.remove(at: index)
        if chance.below(2) == 0 { round(.disconnected(worker.connection)) }
        let kept = worker.held.filter { _ in chance.below(4) > 0 }
        join(["grill": 3, "fryer": 3], as: worker.instance, running: kept)
    }

    /// A result that was told before, or comes late; from whoever it is.
    private mutating func tellAgain() {
        guard let index = anybody(), !old.isEmpty else { return }
        let grant = old[chance.below(old.count)]
        let worker = workers[index].connection
        round(chance.below(2) == 0 ? shop.done(worker, grant) : shop.failed(worker, grant, permanent: true))
    }

    private mutating func cancel() {
        guard chance.below(5) == 0, !accepted.isEmpty else { return }
        let order = accepted[chance.below(accepted.count)].order
        let producer = shop.connection()
        round(shop.asks(producer, .hello(ProducerHello.with { $0.versions = Frames.versions })))
        round(shop.asks(producer, .cancel(Cancel.with { $0.order = order.data })))
    }

    private mutating func pass(_ duration: Duration, isHeard: Bool) {
        if isHeard { round(of: workers.map { shop.says($0.connection, .heartbeat(Heartbeat())) }) }
        take(shop.live(duration))
        round()
        workers.removeAll { shop.core.sessions[$0.connection] == nil }
    }

    private mutating func anybody() -> Int? { workers.isEmpty ? nil : chance.below(workers.count) }

    // MARK: What holds

    private mutating func round(_ input: Input...) { round(of: input) }

    private mutating func round(of inputs: [Input]) {
        take(shop.round(of: inputs))
        take(shop.core.handle(.committed, now: shop.now))
        for (order, tray) in shop.core.trays.elements where tray.isRunning {
            if let complaint = complaint(about: tray) { Issue.record("\(order): \(complaint)") }
        }
    }

    private mutating func take(_ step: Step) {
        for index in workers.indices { workers[index].held += step.grants(to: workers[index].connection) }
        for change in step.changes {
            switch change {
            case .settled(let order, let landed):
                if served[order] != nil { Issue.record("\(order) has ended, and changes") }
                outcomes[order, default: []] += landed
            case .served(let order, _): served[order, default: 0] += 1
            default: break
            }
        }
    }

    /// What other systems look for in a sweep now and then.
    private func complaint(about tray: Tray) -> String? {
        if tray.openCount == 0 { return "it has an outcome in every slot, and has not ended" }
        if tray.verdict != .goOn { return "it is decided, and has not ended" }
        let leases = tray.slots.compactMap(\.lease)
        if leases.count != tray.leasedCount { return "\(leases.count) leases, not \(tray.leasedCount)" }
        let nobodys = leases.filter { shop.core.leases[$0]?.state != .running }
        return nobodys.isEmpty ? nil : "nobody has to end \(nobodys)"
    }
}
