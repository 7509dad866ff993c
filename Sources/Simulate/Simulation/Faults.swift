import Wire

// Things go wrong, one after the other, as the plan draws them.
extension World {
    mutating func nextFault() {
        guard phase == .faults else { return }
        guard now.instant < Instant(nanoseconds: 1_000_000_000).advanced(by: plan.faultPhase) else {
            return heal()
        }
        if !plan.faults.isEmpty { strike(faultDice.pick(plan.faults)) }
        schedule.set(.fault, at: later(faultDice.milliseconds(5...Int(plan.faultPauseMax.milliseconds))))
    }

    private var anyWorker: Int { mutating get { faultDice.number(0...plan.workerCount - 1) } }
    private var anyProducer: Int { mutating get { faultDice.number(0...plan.producerCount - 1) } }

    /// Mostly short, at times so long that everybody notices.
    private var anySpan: Duration {
        mutating get {
            faultDice.chance(60) ? faultDice.milliseconds(10...1_500) : faultDice.milliseconds(1_500...9_000)
        }
    }

    private mutating func strike(_ fault: Fault) {
        switch fault {
        case .partitions:
            for party in someClients() { cut(party, for: anySpan) }
        case .drops:
            let open = connections.indices.filter {
                connections[$0].isOpenForClient && connections[$0].isOpenForAssembler
            }
            if !open.isEmpty { drop(faultDice.pick(open)) }
        case .assemblerDies: strikeAssembler()
        case .assemblerFreezes:
            if assembler.isRunning { freeze(.assembler, for: anySpan) }
        case .commitsFail:
            if faultDice.chance(30) { assembler.crashPoint = .commitFails }
        case .fullDisk:
            let before = room
            room = faultDice.pick([.plenty, .plenty, .short, .short, .none])
            if room != before { trace.line("disk", "its room is \(room)") }
        case .workersDie: killWorker(anyWorker, "killed")
        case .workersFreeze:
            let worker = anyWorker
            if workers[worker].isRunning { freeze(.worker(worker), for: anySpan) }
        case .workersDrain: drain(anyWorker)
        case .producersDie: killProducer(anyProducer)
        case .delays, .deafMonitor, .fullPipes, .slowWorkers, .failingWorkers, .liars, .otherVersions,
            .garbage,
            .vanishingFeeders, .repeats, .cancels, .poison, .stubbornHandlers:
            // These are so all the time.
            break
        }
    }

    private mutating func someClients() -> [Party] {
        let all =
            (0..<plan.workerCount).map { Party.worker($0) } + (0..<plan.producerCount).map { .producer($0) }
        if faultDice.chance(15) { return all }
        return faultDice.chance(50) ? [faultDice.pick(all)] : all.filter { _ in faultDice.chance(40) }
    }

    private mutating func strikeAssembler() {
        guard assembler.isRunning else { return }
        switch faultDice.number(0...6) {
        case 0, 1: killAssembler("killed between rounds")
        case 2: assembler.crashPoint = .beforeCommit
        case 3: assembler.crashPoint = .duringCommit(isDurable: true)
        case 4: assembler.crashPoint = .duringCommit(isDurable: false)
        case 5: assembler.crashPoint = .afterCommit
        default: assembler.crashPoint = .afterActions(share: faultDice.number(0...100))
        }
    }

    private mutating func drain(_ worker: Int) {
        guard workers[worker].isRunning, !frozen.contains(.worker(worker)) else { return }
        trace.line(.worker(worker), "is told to drain")
        handle(faultDice.chance(80) ? .drain : .hurry, by: worker)
        wake(.worker(worker), at: now.instant)
    }
}
