import Wire

// What had not ended goes on.
extension AssemblerMachine {
    mutating func restore(_ order: RestoredOrder, now: Moment) {
        let id = order.accepted.id
        trays[id] = Tray(
            order.accepted, workerDeathsMax: configuration.workerDeathsMax, arrivedAt: nil, now: now.instant)
        if !order.accepted.spec.key.isEmpty { keys[order.accepted.spec.key] = id }
        openItemCount += order.accepted.itemCount
        for head in order.items { addSlot(head, to: id) }
        guard order.isSealed else { return armFillingSilence(id, now.instant) }
        trays[id]?.seal()
        runningOrderCount += 1
        for attempt in order.attempts { trays[id]?.restore(attempt) }
        for settled in order.settled {
            trays[id]?.restore(settled)
            openItemCount -= 1
            if let kind = trays[id]?.kind(of: settled.index) { stations[kind.station.value].openCount -= 1 }
        }
        restoreLosses(of: id)
        trays[id]?.restore(lastLanding: order.lastLanding)
        trays[id]?.isHeldBack = true
        armLimits(id, now: now)
        if order.isCancelRequested { _ = cancel(id, now: now) }
    }

    private mutating func restoreLosses(of order: OrderID) {
        guard let tray = trays[order] else { return }
        for index in tray.losses.indexes {
            let item = ItemKey(order: order, index: index)
            if tray.slots[index].isSettled {
                _ = trays[order]?.losses.forget(index)
            } else {
                for loss in tray.losses.of(index) { lossesByWorker[loss.instance, default: []].insert(item) }
            }
        }
    }

    /// Wall time becomes monotonic once, here: what is left is at most the original span.
    mutating func armLimits(_ order: OrderID, now: Moment) {
        guard let accepted = trays[order]?.accepted else { return }
        let span = accepted.spec.hasDeadlineMs ? accepted.spec.deadlineMs.asDuration : configuration.deadline
        guard span > .zero else { return }
        let passed = accepted.acceptedAt.duration(to: now.wall)
        let left = min(max(span - passed, .zero), span)
        timers.set(.orderDeadline(order), at: now.instant.advanced(by: left))
    }
}

extension UInt64 {
    fileprivate var asDuration: Duration { .milliseconds(Int64(clamping: self)) }
}
