import Testing
import Wire

@testable import AssemblerCore

@Suite("A worker's session")
struct SessionTests {
    private func claim(_ grant: Grant, started: Bool = true) -> Claim {
        Claim.with {
            $0.lease = grant.lease
            $0.order = grant.order.data
            $0.index = UInt32(grant.index)
            $0.started = started
        }
    }

    @Test("begins with a welcome that gives it a number of its own")
    func welcome() {
        var shop = Shop()
        #expect(shop.worker("a", ["grill": 1]).step.welcome?.session == 1)
        #expect(shop.worker("b", ["grill": 1]).step.welcome?.session == 2)
    }

    @Test("of another protocol version is refused, both ranges named")
    func version() {
        var shop = Shop()
        let connection = shop.connection()
        let hello = WorkerHello.with {
            $0.versions.lowest = 7
            $0.versions.highest = 9
        }
        let step = shop.round(.worker(connection, WorkerMessage.with { $0.hello = hello }))
        #expect(step.refusals.map(\.reason) == [.version])
        #expect(step.refusals[0].message.contains("7 to 9"))
        #expect(step.refusals[0].message.contains("1 to 1"))
    }

    @Test("takes the highest version that both know")
    func commonVersion() {
        let range = VersionRange.with {
            $0.lowest = 1
            $0.highest = 5
        }
        #expect(Frames.commonVersion(with: range) == 1)
    }

    @Test("of a name that is taken gets a suffix; names are for people (FM-52)")
    func names() {
        var shop = Shop()
        #expect(shop.worker("w", ["grill": 1]).step.welcome?.name == "w")
        #expect(shop.worker("w", ["grill": 1]).step.welcome?.name == "w-2")
        #expect(shop.worker("w", ["grill": 1]).step.welcome?.name == "w-3")
    }

    @Test(
        "with a hello outside the limits is refused",
        arguments: ["", "a b", String(repeating: "x", count: 65)])
    func badName(name: String) {
        var shop = Shop()
        #expect(shop.worker(name, ["grill": 1]).step.refusals.map(\.reason) == [.malformed])
        #expect(shop.core.sessionCount == 0)
    }

    @Test("that is not known is told to say hello again")
    func unknownSession() {
        var shop = Shop()
        let stranger = shop.connection()
        let step = shop.round(shop.says(stranger, .heartbeat(Heartbeat())))
        #expect(step.refusals.map(\.reason) == [.session])
        #expect(step.actions.last == .forget(stranger))
    }

    @Test("older than the connection's own says nothing of itself any more (FM-56)")
    func olderSession() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let stale = WorkerMessage.with {
            $0.session = 77
            $0.credit = CreditReport.with { $0.draining = true }
        }
        _ = shop.round(.worker(worker, stale))
        #expect(shop.order(Shop.items("grill")).step.grants.count == 1)
    }

    @Test("of the same process replaces its older one; what it still runs is adopted, not run again")
    func replaced() {
        var shop = Shop()
        let old = shop.joined("w", ["grill": 2], instance: 9)
        let grants = shop.order(Shop.items("grill", "grill")).step.grants
        _ = shop.round(shop.started(old, grants))
        let (new, step) = shop.worker("w", ["grill": 2], instance: 9, running: grants.map { claim($0) })
        #expect(step.grants.isEmpty)
        #expect(step.losses.isEmpty)
        #expect(step.welcome?.name == "w")
        #expect(shop.core.leases.values.allSatisfy { $0.connection == new })
        let done = shop.round(shop.done(new, grants[0]), shop.done(new, grants[1]))
        #expect(done.served == [.complete])
    }

    @Test("a lease that its hello does not claim goes back: it never arrived")
    func unclaimed() {
        var shop = Shop()
        _ = shop.joined("w", ["grill": 1], instance: 9)
        let lost = shop.order(Shop.items("grill")).step.grants[0]
        let (new, step) = shop.worker("w", ["grill": 1], instance: 9)
        #expect(step.grants(to: new).map(\.index) == [lost.index])
        #expect(step.grants(to: new).map(\.attempt) == [1])
    }

    @Test(
        "a claim to an item that another lease holds by now: the younger goes on, the older is told to stop")
    func youngerLeaseWins() {
        var shop = Shop()
        let first = shop.joined("first", ["grill": 1])
        let old = shop.order(Shop.items("grill")).step.grants[0]
        _ = shop.round(.disconnected(first))
        let (_, second) = shop.worker("second", ["grill": 1])
        #expect(second.grants.count == 1)
        let (back, step) = shop.worker("first", ["grill": 1], running: [claim(old)])
        #expect(step.revokes(to: back).map(\.reason) == [.superseded])
        // Its place is taken until its handler has ended.
        #expect(shop.order(Shop.items("grill")).step.grants.isEmpty)
        #expect(shop.round(shop.returned(back, old, .revoked)).grants(to: back).count == 1)
    }

    @Test("a claim to a settled slot is revoked")
    func settledClaim() {
        var shop = Shop()
        let first = shop.joined("first", ["grill": 1])
        let (_, step) = shop.order(Shop.items("grill", "fryer"))
        _ = shop.round(.disconnected(first))
        let (second, joined) = shop.worker("second", ["grill": 1])
        _ = shop.round(shop.done(second, joined.grants[0]))
        let (back, claimed) = shop.worker("first", ["grill": 1], running: [claim(step.grants[0])])
        #expect(claimed.revokes(to: back).map(\.reason) == [.settled])
    }

    @Test("a farewell ends it without a loss")
    func farewell() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 1])
        let step = shop.round(shop.says(worker, .farewell(Farewell())))
        #expect(step.actions.contains(.forget(worker)))
        #expect(shop.core.sessionCount == 0)
    }

    @Test("a worker that does not know a station after all gets no more of it; the item is kept (FM-24)")
    func unsupported() {
        var shop = Shop()
        let worker = shop.joined("w", ["grill": 3])
        let grant = shop.order(Shop.items("grill")).step.grants[0]
        let step = shop.round(shop.returned(worker, grant, .unsupported))
        #expect(step.grants.isEmpty)
        #expect(step.outcomes.isEmpty)
        #expect(shop.worker("other", ["grill": 1]).step.grants.count == 1)
    }
}
