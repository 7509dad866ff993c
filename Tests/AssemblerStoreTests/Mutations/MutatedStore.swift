import AssemblerCore
import AssemblerStore
import Foundation
import Wire

/// What the real store makes of one damaged file, and what it must not.
struct MutatedStore {
    /// The content that it had, order by order.
    typealias Content = [OrderID: (items: [Item], outcomes: [Outcome])]

    enum Ending: Equatable { case refused, opened }

    let path: String
    /// What whatever agrees with its checksum has to be; `nil` where anything may stand there.
    let content: Content?
    /// What was committed last may be missing: the log was changed, and SQLite takes that for its end.
    let mayMiss: Bool

    private(set) var findings: [String] = []

    init(path: String, content: Content?, mayMiss: Bool) {
        self.path = path
        self.content = content
        self.mayMiss = mayMiss
    }

    /// Opens it as a start of the assembler does, reads all of it in every way there is, writes to it, and
    /// verifies it before and after.
    mutating func run() throws -> Ending {
        let before = try StoreBytes(path: path)
        // What cannot be verified is not sound.
        let isSound = (try? Store.verify(path: path))?.isSound ?? false
        if try StoreBytes(path: path) != before { findings.append("verify changed the file") }
        do {
            let store = try Store.open(path: path)
            if try work(with: store, isSound: isSound) { return .opened }
            try store.close()
        } catch is StoreError {
            // Refused.
        }
        if try StoreBytes(path: path) != before { findings.append("it was refused, and changed") }
        return .refused
    }

    /// - Returns: false where it can only be read.
    private mutating func work(with store: Store, isSound: Bool) throws -> Bool {
        let beginning: (incarnation: UInt32, orders: [RestoredOrder])
        do {
            beginning = try store.begin(at: Sample.now)
        } catch {
            read(store, isSound: false)
            return false
        }
        _ = AssemblerMachine(
            configuration: CoreConfiguration(), incarnation: beginning.incarnation,
            restoring: beginning.orders, now: Moment(instant: Instant(nanoseconds: 1), wall: Sample.now))
        read(store, isSound: isSound)
        write(store)
        _ = try? store.close()
        _ = try? Store.verify(path: path)
        return true
    }

    /// Every way of reading. What it throws is an answer; what it returns has to be what was written.
    private mutating func read(_ store: Store, isSound: Bool) {
        _ = try? store.standing()
        let listed = try? store.list(status: nil, before: nil, countMax: 100).orders
        _ = try? store.list(status: .running, before: Sample.id(3), countMax: 2)
        let ids = Set((listed ?? []).compactMap { OrderID($0.order) } + (1...9).map { Sample.id($0) })
        for id in ids.sorted() {
            _ = try? store.known(order: id, key: "key")
            _ = try? store.summary(of: id)
            _ = try? store.slotStatuses(of: id, from: 0, countMax: 1_000)
            _ = try? store.page(of: id, containing: 1)
            _ = try? store.outcomes(of: id, after: 1, countMax: 2, bytesMax: 100)
            let items = try? store.items(of: id, from: 0, countMax: 1_000_000)
            let outcomes = try? store.outcomes(of: id, after: 0, countMax: 1_000_000, bytesMax: 1 << 30)
            compare(id, items, outcomes, isSound: isSound)
        }
    }

    private mutating func compare(_ id: OrderID, _ items: [Item]?, _ outcomes: [Outcome]?, isSound: Bool) {
        guard let content else { return }
        let written = content[id] ?? ([], [])
        let isWhole = isSound && !mayMiss
        // Rows may be missing where verify says that something is; none may be different.
        if let items, isWhole ? items != written.items : !items.allSatisfy(written.items.contains) {
            findings.append("items of \(id) are believed: \(items.count) of \(written.items.count)")
        }
        if let outcomes,
            isWhole ? outcomes != written.outcomes : !outcomes.allSatisfy(written.outcomes.contains)
        {
            findings.append("outcomes of \(id) are believed: \(outcomes.count) of \(written.outcomes.count)")
        }
    }

    private func write(_ store: Store) {
        // Each may find damage, here and at the end: only that it ends matters.
        _ = try? store.commit(Sample.accept(40) + [Sample.settle(40, Sample.outcome(1, index: 0))])
        _ = try? store.deleteEnded(before: WallTime(milliseconds: .max), orderCountMax: 3)
        _ = try? store.tidy(budget: .milliseconds(1))
    }
}

extension MutatedStore {
    /// A store with everything that one can hold: ended, running, cancelled and unfinished orders, attempts,
    /// several pages, large results.
    static func fill(_ store: Store) throws {
        let record = AttemptRecord(
            attempt: 1, lease: LeaseID(incarnation: 1, number: 1), worker: "worker-1",
            instance: WorkerInstance(bytes: Array(repeating: 7, count: 16)), isAlone: false,
            error: ItemError(),
            at: Sample.now)
        try store.commit(Sample.wholeLife(1) + Sample.accept(2, key: "key"))
        try store.commit(Sample.accept(3, itemCount: 70, pageItemCount: 16, byteCount: 200))
        try store.commit([
            .attemptLost(order: Sample.id(3), index: 5, record),
            .attemptFailed(order: Sample.id(3), index: 6, record),
            Sample.settle(
                3, Sample.outcome(1, index: 69, byteCount: 9_000), Sample.outcome(2, index: 0, .failed)),
            Sample.settle(3, Sample.outcome(3, index: 7)),
            .cancelRequested(order: Sample.id(2), at: Sample.now),
        ])
        try store.commit(Array(Sample.accept(4, itemCount: 40, pageItemCount: 16).dropLast(2)))
        try store.commit(Sample.wholeLife(5))
    }

    static func content(of store: Store) throws -> Content {
        var content = Content()
        for id in (1...9).map({ Sample.id($0) }) {
            content[id] = (
                try store.items(of: id, from: 0, countMax: 1_000),
                try store.outcomes(of: id, after: 0, countMax: 1_000, bytesMax: 1 << 20)
            )
        }
        return content
    }
}
