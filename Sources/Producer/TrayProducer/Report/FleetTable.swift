import Wire

// What people read of orders, workers and stations.

extension TextTable {
    package static func orders(_ orders: [OrderSummary]) -> TextTable {
        var table = TextTable([
            Column("ORDER"), Column("STATUS"), Column("NAME"), Column("DONE", .right), Column("BAD", .right),
            Column("ITEMS", .right), Column("TOOK", .right), Column("ACCEPTED"),
        ])
        for order in orders {
            table.add([
                order.idText, order.status.text, order.name, "\(order.doneCount)", "\(order.badCount)",
                "\(order.itemCount)", Figures.span(milliseconds: order.elapsedUs / 1_000),
                Figures.time(milliseconds: order.acceptedAtMs) ?? "",
            ])
        }
        return table
    }

    /// A row for each station of each worker.
    package static func workers(_ workers: [WorkerState]) -> TextTable {
        var table = TextTable([
            Column("WORKER"), Column("STATION"), Column("CAPACITY", .right), Column("LEASED", .right),
            Column("STOPPING", .right), Column("DONE", .right), Column("FAILED", .right),
            Column("SILENT", .right),
            Column("STATE"),
        ])
        for worker in workers {
            let totals = [
                "\(worker.doneCount)", "\(worker.failedCount)", Figures.span(milliseconds: worker.silentMs),
            ]
            for (index, station) in worker.stations.enumerated() {
                let cells = [
                    station.station, "\(station.capacity)", "\(station.leasedCount)",
                    "\(station.stoppingCount)",
                ]
                table.add(
                    [index == 0 ? worker.name : ""] + cells + (index == 0 ? totals : ["", "", ""])
                        + [worker.draining ? "draining" : station.conductText])
            }
        }
        return table
    }

    package static func stations(_ stations: [StationState]) -> TextTable {
        var table = TextTable([
            Column("STATION"), Column("WAITING", .right), Column("SUSPECT", .right), Column("LEASED", .right),
            Column("CAPACITY", .right),
            Column("WORKERS", .right),
        ])
        for station in stations {
            table.add([
                station.station, "\(station.waitingCount)", "\(station.suspectCount)",
                "\(station.leasedCount)", "\(station.capacity)",
                station.workerCount == 0 ? "none" : "\(station.workerCount)",
            ])
        }
        return table
    }
}

extension WorkerStation {
    /// In the words of an operator.
    fileprivate var conductText: String {
        switch conduct {
        case .serving: return "serving"
        case .apart:
            return leasedCount > 0 ? "runs suspects, nothing else" : "reserved for suspects"
        case .probation:
            let pause = pauseMs > 0 ? "next try in \(Figures.span(milliseconds: pauseMs))" : "one at a time"
            return "on probation, \(pause): \(failuresInRow) failures in a row: "
                + Printable.firstLine(lastFailure, width: 80)
        }
    }
}

extension Receipt {
    /// The order's id as people type it.
    package var idText: String { OrderID(order)?.description ?? "" }
}

extension Pong {
    /// - Parameter roundTrip: From the question to this answer.
    package func line(endpoint: String, roundTrip: Duration) -> String {
        "\(program) answers at \(endpoint) in \(Figures.milliseconds(roundTrip)) ms: "
            + "\(runningOrderCount) orders running, \(openItemCount) items open, \(workerCount) workers"
    }
}

extension OrderSummary {
    /// The order's id as people type it.
    package var idText: String { OrderID(order)?.description ?? "" }

    /// Items that ended otherwise than done.
    package var badCount: UInt64 {
        // Wider than the fields: nobody promises that an assembler adds up.
        [failedCount, cancelledCount, expiredCount, poisonedCount].reduce(0) { $0 + UInt64($1) }
    }

    /// Items that have ended, however.
    package var settledCount: UInt64 { UInt64(doneCount) + badCount }
}
