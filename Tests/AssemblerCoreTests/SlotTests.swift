import Testing
import Wire

@testable import AssemblerCore

@Suite("A slot")
struct SlotTests {
    private let first = LeaseKey(incarnation: 1, number: 1)
    private let second = LeaseKey(incarnation: 1, number: 2)

    @Test("is leased once, and to nobody else meanwhile")
    func leasedOnce() {
        var slot = Slot(kind: 0)
        #expect(slot.lease(first) == true)
        #expect(slot.lease(second) == false)
        #expect(slot.state == .leased(first))
        #expect(slot.attemptCount == 1)
    }

    @Test("that is settled is never leased again")
    func settledIsFinal() {
        var slot = Slot(kind: 0)
        #expect(slot.settle(.done) == true)
        #expect(slot.lease(first) == false)
        #expect(slot.release(first, isLoss: true) == .ignore)
        #expect(slot.fail(first, isPermanent: true, attemptsMax: 1) == .ignore)
        #expect(slot.wake() == false)
        #expect(slot.state == .settled(.done))
    }

    @Test("takes its first outcome, and no other (FM-10)")
    func firstOutcomeWins() {
        var slot = Slot(kind: 0)
        #expect(slot.settle(.done) == true)
        #expect(slot.settle(.failed) == false)
        #expect(slot.state == .settled(.done))
    }

    @Test("ignores the failure of a lease that it does not count on (FM-14)")
    func staleFailure() {
        var slot = Slot(kind: 0)
        #expect(slot.lease(second) == true)
        #expect(slot.fail(first, isPermanent: true, attemptsMax: 1) == .ignore)
        #expect(slot.state == .leased(second))
        #expect(slot.failureCount == 0)
    }

    @Test("rests after each failure but the last one (FM-36)", arguments: [1, 2, 3, 7])
    func attempts(attemptsMax: Int) {
        var slot = Slot(kind: 0)
        for attempt in 1...attemptsMax {
            let lease = LeaseKey(incarnation: 1, number: UInt64(attempt))
            #expect(slot.lease(lease) == true)
            #expect(slot.attemptCount == attempt)
            let expected: Slot.FailureAction = attempt == attemptsMax ? .settle : .rest(failures: attempt)
            #expect(slot.fail(lease, isPermanent: false, attemptsMax: attemptsMax) == expected)
            if attempt < attemptsMax { #expect(slot.wake() == true) }
        }
    }

    @Test("does not rest after a permanent failure")
    func permanentFailure() {
        var slot = Slot(kind: 0)
        #expect(slot.lease(first) == true)
        #expect(slot.fail(first, isPermanent: true, attemptsMax: 3) == .settle)
    }

    @Test("counts a loss apart from failures (FM-33)")
    func loss() {
        var slot = Slot(kind: 0)
        #expect(slot.lease(first) == true)
        #expect(slot.release(first, isLoss: true) == .offerAgain)
        #expect((slot.lossCount, slot.failureCount) == (1, 0))
        #expect(slot.isWaiting)
    }

    @Test("counts losses without end, and a restart takes them all over")
    func manyLosses() {
        var slot = Slot(kind: 0)
        for _ in 0..<70_000 { slot.restore(isLoss: true) }
        #expect(slot.lossCount == .max)
    }

    @Test("counts nothing when its lease is given back (FM-35)")
    func givenBack() {
        var slot = Slot(kind: 0)
        #expect(slot.lease(first) == true)
        #expect(slot.release(first, isLoss: false) == .offerAgain)
        #expect(slot.attemptCount == 0)
    }

    @Test("goes to the younger of two claims")
    func youngerClaim() {
        var slot = Slot(kind: 0)
        #expect(slot.lease(first) == true)
        #expect(slot.supersede(by: second) == first)
        #expect(slot.supersede(by: first) == nil)
        #expect(slot.state == .leased(second))
    }

    @Test("a lease of a later incarnation is the younger one")
    func incarnations() {
        #expect(LeaseKey(incarnation: 1, number: 900) < LeaseKey(incarnation: 2, number: 1))
    }
}

@Suite("A held lease")
struct HeldLeaseTests {
    @Test("is revoked once")
    func revokedOnce() {
        let moment = Moment(instant: Instant(nanoseconds: 0), wall: WallTime(milliseconds: 0))
        var held = HeldLease(
            key: LeaseKey(incarnation: 1, number: 1),
            item: ItemKey(order: OrderID(high: 0, low: 1), index: 0),
            station: StationIndex(value: 0), connection: ConnectionID(1), place: 0,
            positions: .init(tray: 1, session: 1), attempt: 1, leasedAt: moment)
        #expect(held.revoke() == true)
        #expect(held.revoke() == false)
        #expect(held.state == .revoked)
    }
}

@Suite("An order's policy")
struct PolicyTests {
    private func verdict(
        done: Int, failed: Int = 0, of itemCount: Int, _ change: (inout OrderSpec) -> Void
    ) -> OrderStatus? {
        var spec = OrderSpec()
        change(&spec)
        var counts = TrayCounts()
        for _ in 0..<done { counts.add(.done) }
        for _ in 0..<failed { counts.add(.failed) }
        if case .end(let status, _) = Policy(spec).verdict(counts, itemCount: itemCount) { return status }
        return nil
    }

    @Test("isolate: every item runs to its own end (FM-02)")
    func isolate() {
        #expect(verdict(done: 1, failed: 1, of: 3) { _ in } == nil)
        #expect(verdict(done: 2, failed: 1, of: 3) { _ in } == .partial)
        #expect(verdict(done: 3, of: 3) { _ in } == .complete)
    }

    @Test("an order of no items is complete (FM-07)")
    func empty() {
        #expect(verdict(done: 0, of: 0) { _ in } == .complete)
    }

    @Test("fail-fast: the first bad end is the order's")
    func failFast() {
        #expect(verdict(done: 0, failed: 1, of: 3) { $0.failure = .failFast } == .failed)
    }

    @Test("tolerate: partial up to the limit, failed beyond it")
    func tolerate() {
        let three: (inout OrderSpec) -> Void = { spec in
            spec.failure = .tolerateCount
            spec.tolerated = 3
        }
        #expect(verdict(done: 7, failed: 3, of: 10, three) == .partial)
        #expect(verdict(done: 0, failed: 3, of: 10, three) == nil)
        #expect(verdict(done: 0, failed: 4, of: 10, three) == .failed)
    }

    @Test("tolerate 5 %: of all items, in hundredths of a percent")
    func tolerateShare() {
        let share: (inout OrderSpec) -> Void = { spec in
            spec.failure = .tolerateShare
            spec.tolerated = 500
        }
        #expect(verdict(done: 0, failed: 5, of: 100, share) == nil)
        #expect(verdict(done: 0, failed: 6, of: 100, share) == .failed)
        #expect(verdict(done: 95, failed: 5, of: 100, share) == .partial)
    }

    @Test("enough: complete with so many done, failed as soon as they cannot be reached")
    func enough() {
        #expect(verdict(done: 1, of: 3) { $0.enough = 2 } == nil)
        #expect(verdict(done: 2, of: 3) { $0.enough = 2 } == .complete)
        #expect(verdict(done: 0, failed: 2, of: 3) { $0.enough = 2 } == .failed)
    }
}
