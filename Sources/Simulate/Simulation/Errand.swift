import ProducerCore
import Wire

/// An order that somebody wants, and how far it has come.
struct Errand {
    let producer: Int
    var submission: Submission
    let beginsAt: Instant
    /// Gone for good when its producer ends before it has a receipt.
    let mayVanish: Bool
    let isToBeCancelled: Bool
    /// Sent again, with other content, once it is accepted.
    let isToConflict: Bool
    /// The order that the receipt named: for a known key, another's.
    var accepted: OrderID?
    /// What was told of it, in the order of the landings.
    var outcomes: [Outcome] = []
    var isUnderWay = false
    /// The last time that its producer began to.
    var submittedAt = WallTime(milliseconds: 0)
    var isOver = false
    var hasConflicted = false
    var isVanishing = false
}

extension World {
    /// The last order comes no later than this, in milliseconds.
    private var comingMax: Int { plan.isRush ? 200 : Int(plan.faultPhase.milliseconds) }

    mutating func drawErrands() {
        for number in 0..<plan.orderCount {
            let order = OrderID(
                high: 0x18BC_FE56_8000_0000, low: (peopleDice.next() & ~0xFF) | UInt64(number))
            errands.append(
                Errand(
                    producer: peopleDice.number(0...plan.producerCount - 1),
                    submission: drawSubmission(order, number),
                    beginsAt: later(peopleDice.milliseconds(0...comingMax)),
                    mayVanish: plan.has(.vanishingFeeders) && peopleDice.chance(30),
                    isToBeCancelled: plan.has(.cancels) && peopleDice.chance(30),
                    isToConflict: plan.has(.repeats) && peopleDice.chance(30)))
        }
        guard plan.has(.repeats) else { return }
        for errand in errands where !errand.submission.spec.key.isEmpty && peopleDice.chance(60) {
            // From another process, under another id: the same key, the same content.
            var again = errand.submission
            again.order = OrderID(high: 0x18BC_FE56_8001_0000, low: peopleDice.next())
            errands.append(
                Errand(
                    producer: peopleDice.number(0...plan.producerCount - 1), submission: again,
                    beginsAt: errand.beginsAt.advanced(by: peopleDice.milliseconds(0...5_000)),
                    mayVanish: false, isToBeCancelled: false, isToConflict: false))
        }
    }

    private mutating func drawSubmission(_ order: OrderID, _ number: Int) -> Submission {
        let items = (0..<peopleDice.number(0...plan.itemCountMax)).map { drawItem($0) }
        let spec = OrderSpec.with {
            $0.name = "order-\(number)"
            if peopleDice.chance(30) { $0.key = "key-\(number)" }
            switch peopleDice.number(0...9) {
            case 0: $0.failure = .failFast
            case 1:
                $0.failure = .tolerateCount
                $0.tolerated = UInt32(peopleDice.number(0...3))
            case 2:
                $0.failure = .tolerateShare
                $0.tolerated = UInt32(peopleDice.number(0...5_000))
            default: $0.failure = .isolate
            }
            if peopleDice.chance(15) { $0.enough = UInt32(peopleDice.number(0...items.count)) }
            if peopleDice.chance(25) { $0.maxParallel = UInt32(peopleDice.number(1...4)) }
            if peopleDice.chance(30) { $0.priority = Int32(peopleDice.number(-2...2)) }
            if peopleDice.chance(15) { $0.deadlineMs = UInt64(peopleDice.number(1...20_000)) }
            if peopleDice.chance(10), !plan.hasUnconvictedPoison { $0.deadlineMs = 0 }
            if peopleDice.chance(10) {
                let wait = peopleDice.number(0...Int(plan.faultPhase.milliseconds) * 2)
                $0.notBeforeMs = UInt64(now.wall.milliseconds) + UInt64(wait)
            }
        }
        return Submission(order: order, spec: spec, items: items, fingerprint: peopleDice.bytes(16))
    }

    private mutating func drawItem(_ index: Int) -> Item {
        Item.with {
            $0.name = "item-\(index)"
            guard !plan.isBusy else {
                $0.station = plan.stationNames[index % plan.stationNames.count]
                // Results come one by one, not all at one instant.
                return $0.payload = Nature.done.payload(peopleDice.milliseconds(1...100))
            }
            $0.station = peopleDice.pick(plan.stationNames)
            var nature = Nature.done
            switch peopleDice.number(0...99) {
            case 0...2: nature = .fails
            case 3...4: nature = .failsForGood
            case 5...9: nature = .doneAt(attempt: peopleDice.number(2...4))
            case 10...12: nature = .endless
            case 13...17 where plan.has(.poison): nature = .poison
            default: break
            }
            $0.payload = nature.payload(
                peopleDice.pick([
                    .milliseconds(1), peopleDice.milliseconds(0...300), peopleDice.milliseconds(0...3_000),
                ]))
            if nature == .endless || peopleDice.chance(20) {
                $0.timeoutMs = UInt64(peopleDice.number(50...5_000))
            }
            if peopleDice.chance(30) { $0.attemptsMax = UInt32(peopleDice.number(1...5)) }
        }
    }

    // MARK: Running an errand

    mutating func run(errand: Int, by index: Int) {
        guard producers[index].isRunning, !errands[errand].isOver, !errands[errand].isUnderWay else { return }
        errands[errand].isUnderWay = true
        trace.line(
            .producer(index),
            "brings \(errands[errand].submission.order), \(errands[errand].submission.items.count) items")
        submit(errand, by: index)
        guard errands[errand].mayVanish, isFaulty, errands[errand].accepted == nil else { return }
        errands[errand].isVanishing = true
        schedule.set(
            .vanish(producer: index, process: producers[index].process),
            at: later(peopleDice.microseconds(100...30_000)))
    }

    private mutating func submit(_ errand: Int, by index: Int) {
        errands[errand].submittedAt = now.wall
        ask(.submit(errands[errand].submission), .submit(errand: errand), timeout: .seconds(10), by: index)
    }

    private mutating func watch(_ errand: Int, by index: Int) {
        guard let order = errands[errand].accepted else { return }
        let countMax = peopleDice.pick([1, 3, 1_000])
        ask(
            .watch(order, afterLanding: errands[errand].outcomes.count, countMax: countMax, wait: true),
            .watch(errand: errand), timeout: nil, by: index)
    }

    mutating func finished(
        _ purpose: ProducerProcess.Purpose, _ result: Result<OrdersMessage.OneOf_Body, CallError>,
        by index: Int
    ) {
        switch purpose {
        case .submit(let errand): submitted(errand, result, by: index)
        case .watch(let errand): watched(errand, result, by: index)
        case .cancel(let errand), .look(let errand):
            if case .success(.tray(let page)) = result { auditor.told(page.summary, "a tray") }
            if case .failure(.notFound) = result, errands[errand].accepted != nil {
                auditor.blame("order \(errands[errand].submission.order) was accepted, and is not known")
            }
        case .conflict(let errand):
            guard case .success(.receipt) = result else { return }
            auditor.blame("\(errands[errand].submission.order) with other content got a receipt")
        }
    }

    private mutating func submitted(
        _ errand: Int, _ result: Result<OrdersMessage.OneOf_Body, CallError>, by index: Int
    ) {
        switch result {
        case .success(.receipt(let receipt)):
            guard let order = OrderID(receipt.order) else {
                return auditor.blame("a receipt names no order")
            }
            lastProgress = now.instant
            errands[errand].isVanishing = false
            errands[errand].accepted = order
            auditor.customerHasReceipt(
                order, for: errands[errand].submission,
                since: receipt.known ? nil : errands[errand].submittedAt)
            watch(errand, by: index)
            if errands[errand].isToBeCancelled, isFaulty {
                ask(.cancel(order), .cancel(errand: errand), timeout: .seconds(10), by: index)
            }
            if errands[errand].isToConflict, !errands[errand].hasConflicted {
                errands[errand].hasConflicted = true
                var other = errands[errand].submission
                other.order = order
                other.fingerprint[0] ^= 1
                ask(.submit(other), .conflict(errand: errand), timeout: .seconds(10), by: index)
            }
            if peopleDice.chance(30) {
                let request = peopleDice.pick([
                    Request.tray(order, firstIndex: 0, countMax: 10), .workers, .stations, .ping,
                    .list(nil, after: nil, countMax: 3), .tray(order, firstIndex: 5, countMax: 0),
                ])
                ask(request, .look(errand: errand), timeout: .seconds(10), by: index)
            }
        case .failure(.conflict(let message)), .failure(.invalid(let message)),
            .failure(.malformed(let message)):
            auditor.blame("a valid order was refused for good: \(message)")
        case .failure(.refused)
        where errands[errand].submission.items.count > plan.configuration.openItemCountMax:
            errands[errand].isOver = true
        case .failure, .success:
            // Whoever wants it tries again.
            errands[errand].isUnderWay = false
            schedule.set(.errand(producer: index, errand), at: later(peopleDice.milliseconds(100...2_000)))
        }
    }

    private mutating func watched(
        _ errand: Int, _ result: Result<OrdersMessage.OneOf_Body, CallError>, by index: Int
    ) {
        guard case .success(.outcomes(let batch)) = result else {
            if case .failure(.notFound) = result {
                auditor.blame("order \(errands[errand].submission.order) was accepted, and is not known")
            }
            errands[errand].isUnderWay = false
            return schedule.set(.errand(producer: index, errand), at: later(.milliseconds(200)))
        }
        auditor.customerHears(batch, after: errands[errand].outcomes.count)
        errands[errand].outcomes += batch.outcomes
        if !batch.outcomes.isEmpty { lastProgress = now.instant }
        let isAll = errands[errand].outcomes.count >= Int(batch.summary.lastLanding)
        guard batch.summary.status.hasEnded, isAll else { return watch(errand, by: index) }
        errands[errand].isOver = true
        lastProgress = now.instant
        trace.line(
            .producer(index), "has all of \(errands[errand].submission.order): \(batch.summary.status.text)")
        auditor.customerHasAll(errands[errand].outcomes, batch.summary)
    }
}
