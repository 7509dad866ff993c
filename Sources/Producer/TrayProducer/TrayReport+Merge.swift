import Wire

extension TrayReport {
    /// Puts outcomes into their slots (FM-13). Of a slot with an outcome, the outcome is what counts: it is
    /// final, and the slot may have been read before it landed.
    package init(summary: OrderSummary, slots: [TrayItem], outcomes: [Outcome]) {
        var items = slots.map(ReportItem.init)
        for outcome in outcomes where Int(outcome.index) < items.count {
            items[Int(outcome.index)].settle(outcome)
        }
        self.init(summary: summary, items: items)
    }
}

extension ReportItem {
    fileprivate init(_ slot: TrayItem) {
        self.init(
            index: Int(slot.index), name: slot.name, station: slot.station, status: slot.status,
            attempts: Int(slot.attempts), worker: slot.worker.isEmpty ? nil : slot.worker,
            startedAt: WallTime(orNil: slot.startedAtMs))
    }

    fileprivate mutating func settle(_ outcome: Outcome) {
        status = outcome.status
        attempts = Int(outcome.attempts)
        worker = outcome.worker.isEmpty ? nil : outcome.worker
        result = outcome.status == .done ? outcome.result : nil
        error = outcome.status == .done ? nil : outcome.error
        startedAt = WallTime(orNil: outcome.startedAtMs)
        finishedAt = WallTime(orNil: outcome.finishedAtMs)
    }
}

extension WallTime {
    /// 0 on the wire is no time.
    fileprivate init?(orNil milliseconds: UInt64) {
        guard milliseconds > 0 else { return nil }
        self.init(milliseconds: Int64(clamping: milliseconds))
    }
}
