import AssemblerCore
import OrderedCollections
import Wire

// The whole of the core, as it tells of itself, against the whole of the book.
extension Auditor {
    mutating func checkEverything(_ core: AssemblerMachine, now: Moment) {
        checkPlaces(core, now: now)
        checkSlots(core, now: now)
        checkMemory(core)
    }

    /// A core is a value: what a copy is asked leaves no trace in the core.
    private func asked(
        _ core: AssemblerMachine, _ body: ProducerMessage.OneOf_Body, now: Moment
    ) -> OrdersMessage.OneOf_Body? {
        var copy = core
        let stranger = ConnectionID(.max)
        func ask(_ body: ProducerMessage.OneOf_Body) -> Step {
            let message = ProducerMessage.with {
                $0.request = 1
                $0.body = body
            }
            return copy.handle(.producer(stranger, message, known: nil), now: now)
        }
        _ = ask(.hello(ProducerHello.with { $0.versions = Frames.versions }))
        for case .answer(stranger, _, let answer) in ask(body).actions { return answer }
        return nil
    }

    private mutating func checkPlaces(_ core: AssemblerMachine, now: Moment) {
        guard case .workers(let list) = asked(core, .workers(WorkersRequest()), now: now) else {
            return blame("the core does not tell of its workers")
        }
        expect(
            list.workers.count == sessions.count,
            "the core has \(list.workers.count) workers, the book \(sessions.count)")
        for worker in list.workers {
            guard let (connection, session) = sessions.first(where: { $0.value.number == worker.session })
            else {
                blame("the core has session \(worker.session), the book does not")
                continue
            }
            for station in worker.stations {
                let number = stations.number(of: station.station)
                let count = session.places(at: number)?.heldCount ?? 0
                expect(
                    Int(station.leasedCount) == count,
                    "\(worker.name) holds \(count) leases of \(station.station), and the core counts "
                        + "\(station.leasedCount): a place is \(Int(station.leasedCount) > count ? "lost" : "invented")"
                )
                let stoppingCount = held.values.count {
                    $0.connection == connection && $0.station == number && $0.isRevoked
                }
                expect(
                    Int(station.stoppingCount) == stoppingCount,
                    "\(worker.name) stops \(stoppingCount) leases, and the core counts \(station.stoppingCount)"
                )
            }
        }
        expect(
            core.openLeaseCount == held.count,
            "the core has \(core.openLeaseCount) leases, the book \(held.count)")
    }

    private func checkSlots(_ core: AssemblerMachine, now: Moment) {
        for record in unserved where record.isSealed {
            let order = record.id
            guard let views = core.slots(of: order, from: 0, countMax: record.items.count) else {
                blame("\(order) runs, and the core does not know it")
                continue
            }
            for (index, view) in views.enumerated() {
                let item = ItemRef(order: order, index: index)
                let expected = record.settled[index] ?? (current[item] == nil ? .waiting : .leased)
                expect(
                    view.status == expected,
                    "\(item.text) is \(view.status.text) in the core, and \(expected.text) in the book")
            }
            guard let summary = core.summary(of: order, now: now) else { continue }
            let currentCount = current.count(in: order)
            expect(
                Int(summary.leasedCount) == currentCount
                    && Int(summary.lastLanding) == record.outcomes.count,
                "of \(order), the core counts \(summary.leasedCount) leased slots and landing "
                    + "\(summary.lastLanding); the book has \(currentCount) and \(record.outcomes.count)")
        }
    }

    /// Memory follows the open work.
    private func checkMemory(_ core: AssemblerMachine) {
        var (itemCount, byteCount) = (0, 0)
        for record in unserved {
            itemCount += record.accepted.itemCount - record.outcomes.count
            byteCount += record.items.reduce(0) { $0 + $1.payload.data.count }
        }
        expect(
            core.openItems.count == itemCount,
            "the core counts \(core.openItems.count) open items, the book \(itemCount)")
        expect(
            core.openItems.bytes == byteCount,
            "the core counts \(core.openItems.bytes) open bytes, the book \(byteCount)")
        expect(
            core.openOrderCount == runningOrderCount,
            "the core counts \(core.openOrderCount) open orders, the book \(runningOrderCount)")
        let slotCount = unserved.reduce(0) { $0 + $1.items.count }
        let bound = entryCountMax(slotCount: slotCount, core)
        expect(
            core.entryCount <= bound,
            "the core keeps \(core.entryCount) entries for \(slotCount) slots, \(held.count) leases and "
                + "\(sessions.count) workers; \(bound) are the most")
    }

    /// A handful for each thing that is open; stale timers, up to as many again and a thousand.
    private func entryCountMax(slotCount: Int, _ core: AssemblerMachine) -> Int {
        let things = slotCount + held.count + sessions.count * (plan.stationNames.count + 2) + records.count
        return 16 * (things + 64) + 4_096
    }
}
