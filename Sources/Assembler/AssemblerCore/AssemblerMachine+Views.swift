import Wire

/// A slot as it stands.
public struct SlotView: Equatable, Sendable {
    public var status: ItemStatus
    public var attempts: Int
    /// Who holds its lease; empty where nobody does.
    public var worker: String
    public var leasedAt: WallTime?

    public init(status: ItemStatus, attempts: Int = 0, worker: String = "", leasedAt: WallTime? = nil) {
        self.status = status
        self.attempts = attempts
        self.worker = worker
        self.leasedAt = leasedAt
    }
}

// What can be asked: nothing here changes anything.
extension AssemblerMachine {
    /// - Returns: `nil` for an order that is not in memory: it has ended, is not sealed, or was never
    ///   accepted.
    public func summary(of order: OrderID, now: Moment) -> OrderSummary? {
        guard let tray = trays[order], tray.phase != .filling else { return nil }
        return OrderSummary.with {
            $0.order = order.data
            $0.name = tray.accepted.spec.name
            $0.status = status(of: tray)
            $0.itemCount = UInt32(tray.itemCount)
            $0.doneCount = UInt32(tray.counts.done)
            $0.failedCount = UInt32(tray.counts.failed)
            $0.cancelledCount = UInt32(tray.counts.cancelled)
            $0.expiredCount = UInt32(tray.counts.expired)
            $0.poisonedCount = UInt32(tray.counts.poisoned)
            $0.waitingCount = UInt32(tray.waitingCount)
            $0.leasedCount = UInt32(tray.leasedCount)
            $0.acceptedAtMs = UInt64(clamping: tray.accepted.acceptedAt.milliseconds)
            $0.lastLanding = UInt32(tray.lastLanding)
            if let served = tray.served { $0.finishedAtMs = UInt64(clamping: served.at.milliseconds) }
            let elapsed = tray.served?.elapsed ?? elapsed(of: tray, now: now)
            $0.elapsedUs = UInt64(clamping: elapsed.microseconds)
        }
    }

    /// Slots from `index` on, at most `countMax`; `nil` for an order that is not in memory.
    public func slots(of order: OrderID, from index: Int, countMax: Int) -> [SlotView]? {
        guard let tray = trays[order], tray.phase != .filling else { return nil }
        guard index < tray.slots.count else { return [] }
        return tray.slots[index..<min(tray.slots.count, index + countMax)].map(view)
    }

    /// As people see it; `nil` where nobody has a session there.
    public func workerName(of connection: ConnectionID) -> String? { sessions[connection]?.name }

    /// Orders in memory, for counting.
    public var openOrderCount: Int { runningOrderCount }
    public var openLeaseCount: Int { leases.count }
    public var sessionCount: Int { sessions.count }
    /// Unsettled items, those that were announced among them, and the bytes of their orders' payloads.
    public var openItems: (count: Int, bytes: Int) { (openItemCount, openBytes) }

    /// Entries of all tables, slots and lines included: for a check that memory follows the open work.
    public var entryCount: Int {
        let ofTrays = trays.values.reduce(0) { $0 + $1.entryCount }
        let ofStations = stations.reduce(0) { $0 + $1.entryCount }
        let ofWatchers = watchers.values.reduce(0) { $0 + 1 + $1.count }
        let ofLosses = lossesByWorker.values.reduce(0) { $0 + 1 + $1.count }
        return trays.count + ofTrays + keys.count + leases.count + sessions.count + producers.count
            + ofWatchers
            + stations.count + ofStations + timers.count + ofLosses + servedNow.count + servedBefore.count
    }

    private func view(_ slot: Slot) -> SlotView {
        switch slot.state {
        case .waiting, .resting:
            SlotView(status: .waiting, attempts: slot.attemptCount)
        case .leased(let key):
            SlotView(
                status: .leased, attempts: slot.attemptCount,
                worker: leases[key].flatMap { sessions[$0.connection]?.name } ?? "",
                leasedAt: leases[key]?.leasedAt.wall)
        case .settled(let status):
            SlotView(status: status, attempts: slot.attemptCount)
        }
    }

    func status(of tray: Tray) -> OrderStatus { tray.served?.status ?? .running }

    func workerList(now: Instant) -> WorkerList {
        WorkerList.with { list in
            let sessions = sessions.elements.sorted { $0.value.number < $1.value.number }
            list.workers = sessions.map { connection, session in
                WorkerState.with {
                    $0.name = session.name
                    $0.instance = .init(session.instance.bytes)
                    $0.session = session.number
                    $0.draining = session.state == .draining
                    $0.connectedAtMs = UInt64(clamping: session.connectedAt.milliseconds)
                    $0.silentMs = UInt64(clamping: session.lastHeard.duration(to: now).milliseconds)
                    $0.doneCount = session.doneCount
                    $0.failedCount = session.failedCount
                    $0.stations = session.stations.compactMap { workerStation(connection, $0, now: now) }
                    $0.program = session.program
                }
            }
        }
    }

    private func workerStation(
        _ connection: ConnectionID, _ index: StationIndex, now: Instant
    ) -> WorkerStation? {
        let station = stations[index.value]
        guard let place = station.placeIndex(of: connection).map({ station.places[$0] }) else { return nil }
        return WorkerStation.with {
            $0.station = station.name
            $0.capacity = UInt32(place.capacity)
            $0.leasedCount = UInt32(place.leasedCount)
            $0.stoppingCount = UInt32(place.stoppingCount)
            $0.failuresInRow = UInt32(clamping: place.probation.failureCount)
            $0.onProbation = place.probation.isOn
            $0.pauseMs = UInt64(clamping: place.probation.pauseLeft(now: now).milliseconds)
            $0.lastFailure = place.probation.lastFailure
            $0.apart = place.isReserved
        }
    }

    /// Stations that have work or workers, by name.
    func stationList() -> StationList {
        StationList.with { list in
            let suspectCounts = suspectCounts()
            let shown = stations.indices.filter { stations[$0].openCount > 0 || !stations[$0].places.isEmpty }
            list.stations = shown.map { index in
                let station = stations[index]
                return StationState.with {
                    $0.station = station.name
                    $0.waitingCount = UInt64(station.waitingCount)
                    $0.leasedCount = UInt64(station.leasedCount)
                    $0.workerCount = UInt32(station.places.count)
                    $0.capacity = UInt64(station.capacity)
                    $0.suspectCount = UInt64(suspectCounts[StationIndex(value: index), default: 0])
                }
            }
            list.stations.sort { $0.station < $1.station }
        }
    }

    func pong() -> Pong {
        Pong.with {
            $0.incarnation = incarnation
            $0.program = configuration.program
            $0.runningOrderCount = UInt64(openOrderCount)
            $0.openItemCount = UInt64(openItemCount)
            $0.workerCount = UInt32(sessions.count)
            $0.counters = counters
        }
    }
}
