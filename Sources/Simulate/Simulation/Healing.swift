import AssemblerCore
import OrderedCollections
import Wire

// Everything heals, and all must end: what does not is told, and why.
extension World {
    /// The longest that nothing may move while something is open: a rest after failures (60 s at most), a
    /// probation's pause (30 s), heartbeat limits, and the attempt that runs.
    private static let stillnessMax = Duration.seconds(200)
    /// What all may take, whatever moves. Items run one after the other at the worst.
    private var healedMax: Duration { World.healedMin + .seconds(20) * auditor.itemCount }
    private static let healedMin = Duration.seconds(1_800)

    /// No more faults; who is dead or lies is replaced, and nobody fails any more.
    mutating func heal() {
        trace.line("simulator", "everything heals")
        phase = .healed
        isFaulty = false
        healedAt = now.instant
        lastProgress = now.instant
        room = .plenty
        assembler.crashPoint = nil
        cuts = [:]
        for party in [.assembler] + everybody { thaw(party) }
        for index in workers.indices {
            switch workers[index].character {
            case .honest, .failing: workers[index].character = .honest
            case .liar, .speaking: killWorker(index, "replaced")
            }
            workers[index].reactionTime = .microseconds(50)
        }
        if let core = assembler.running?.core { auditor.checkEverything(core, now: now) }
    }

    private var everybody: [Party] {
        workers.indices.map { .worker($0) } + producers.indices.map { .producer($0) }
    }

    /// After each event: whether all has ended, or nothing moves.
    mutating func lookAtProgress() {
        switch phase {
        case .faults, .over: return
        case .healed:
            guard isAllServed else { return lookForStillness() }
            beginDraining()
        case .draining:
            guard auditor.openCount == 0 else { return goBackToWork() }
            guard workers.allSatisfy({ !$0.isRunning }), assembler.kitchen.arrivals.isEmpty,
                auditor.sessions.isEmpty
            else { return lookForStillness() }
            finish()
        }
    }

    private var isAllServed: Bool {
        assembler.isRunning && auditor.openCount == 0 && errands.allSatisfy(\.isOver)
    }

    private mutating func lookForStillness() {
        let stillness = lastProgress.duration(to: now.instant)
        let span = healedAt.duration(to: now.instant)
        guard stillness > World.stillnessMax || span > World.healedMin else { return }
        let held = auditor.heldBackUntil.map { Duration.milliseconds($0 - now.wall.milliseconds) } ?? .zero
        guard stillness > World.stillnessMax + max(held, .zero) || span > healedMax + max(held, .zero) else {
            return
        }
        end(.stuck("nothing has moved for \(stillness), \(span) after all was healed:\n" + pending))
    }

    /// Workers give back what they hold: each result must be acknowledged, and each place come back.
    private mutating func beginDraining() {
        trace.line("simulator", "all orders have ended; the workers drain")
        phase = .draining
        lastProgress = now.instant
        for index in workers.indices where workers[index].isRunning {
            handle(.drain, by: index)
            wake(.worker(index), at: now.instant)
        }
    }

    /// An order that was on its way when all others had ended.
    private mutating func goBackToWork() {
        phase = .healed
        for index in workers.indices where !workers[index].isRunning {
            schedule.set(.start(.worker(index)), at: later(.milliseconds(100)))
        }
    }

    private mutating func finish() {
        phase = .over
        if let core = assembler.running?.core {
            auditor.checkEverything(core, now: now)
            auditor.checkNothingIsLeft(core)
        }
        if let violation = auditor.violation { return end(.broken(violation)) }
        end(.allWell)
    }

    /// What has not ended, and why.
    var pending: String {
        var lines: [String] = []
        for (errand, index) in zip(errands, errands.indices) where !errand.isOver {
            lines.append(
                "errand \(index) of producer-\(errand.producer + 1): \(errand.submission.order), "
                    + (errand.accepted == nil
                        ? "no receipt" : "accepted, \(errand.outcomes.count) outcomes told")
                    + (errand.isUnderWay ? "" : ", not under way"))
        }
        lines += auditor.pending(assembler.running?.core)
        for worker in workers {
            let name = Party.worker(worker.index).text
            lines.append(
                "\(name): \(worker.isRunning ? "runs" : "is dead"), link \(worker.link.phase), handlers "
                    + "\(worker.handlers.keys.sorted().map(\.text)), stations "
                    + worker.stations.map { "\($0.name)=\($0.capacity)" }.joined(separator: " "))
        }
        lines.append("assembler: \(assembler.isRunning ? "runs" : "is dead"), room \(room)")
        return lines.map { "  " + $0 }.joined(separator: "\n")
    }
}

extension Auditor {
    var itemCount: Int { records.values.reduce(0) { $0 + $1.items.count } }

    /// Until when an order may wait for its own sake: wall time, in milliseconds.
    var heldBackUntil: Int64? {
        unserved.filter(\.isSealed).map(\.notBefore).max()
    }

    func checkNothingIsLeft(_ core: AssemblerMachine) {
        expect(core.openItems.count == 0, "\(core.openItems.count) items are open, and all has ended")
        expect(core.openItems.bytes == 0, "\(core.openItems.bytes) bytes are open, and all has ended")
        expect(core.openLeaseCount == 0, "\(core.openLeaseCount) leases are held, and all workers have gone")
        expect(core.openOrderCount == 0, "\(core.openOrderCount) orders run, and all have ended")
        for order in receipts.sorted() {
            expect(records[order]?.isServed == true, "\(order) was accepted, and never ended")
        }
    }

    func pending(_ core: AssemblerMachine?) -> [String] {
        unserved.map { record in
            let order = record.id
            guard record.isSealed else { return "order \(order): \(record.items.count) items, not sealed" }
            let slots = record.items.indices.filter { !record.isSettled($0) }.prefix(8).map { index in
                let item = ItemRef(order: order, index: index)
                let holder = current[item].flatMap { held[$0] }
                let lease = holder.map { "leased \(current[item]?.text ?? "") on \($0.connection.number)" }
                return "[\(index)] \(record.items[index].station) \(Nature(record.items[index].payload)) "
                    + (lease ?? "waits") + ", \(record.failures[index]?.count ?? 0) failures, "
                    + "\(record.lossesInRow[index, default: 0]) losses in a row"
            }
            let view = core?.slots(of: order, from: 0, countMax: 8)?.map(\.status.text) ?? ["not in memory"]
            return "order \(order): " + slots.joined(separator: "; ") + "; the core: "
                + view.joined(separator: " ")
        }
    }
}
