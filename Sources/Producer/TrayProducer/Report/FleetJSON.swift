import Wire

// What `--json` prints of workers, stations and the assembler. docs/cli.md lists these keys.

extension WorkerState {
    package var json: JSONValue {
        .object([
            ("name", .string(name)),
            ("program", .string(program)),
            ("draining", .bool(draining)),
            ("done", .integer(Int(clamping: doneCount))),
            ("failed", .integer(Int(clamping: failedCount))),
            ("silent_seconds", .number(Figures.seconds(microseconds: silentMs * 1_000))),
            ("connected_at", .optional(Figures.time(milliseconds: connectedAtMs))),
            ("stations", .array(stations.map(\.json))),
        ])
    }
}

extension WorkerStation {
    fileprivate var json: JSONValue {
        .object([
            ("station", .string(station)),
            ("capacity", .integer(Int(capacity))),
            ("leased", .integer(Int(leasedCount))),
            ("stopping", .integer(Int(stoppingCount))),
        ])
    }
}

extension StationState {
    package var json: JSONValue {
        .object([
            ("station", .string(station)),
            ("waiting", .integer(Int(clamping: waitingCount))),
            ("leased", .integer(Int(clamping: leasedCount))),
            ("workers", .integer(Int(workerCount))),
            ("capacity", .integer(Int(clamping: capacity))),
        ])
    }
}

extension Pong {
    /// - Parameter roundTrip: From the question to this answer.
    package func json(endpoint: String, roundTrip: Duration) -> JSONValue {
        .object([
            ("endpoint", .string(endpoint)),
            ("round_trip_ms", .number(Figures.milliseconds(roundTrip))),
            ("program", .string(program)),
            ("incarnation", .integer(Int(incarnation))),
            ("running_orders", .integer(Int(clamping: runningOrderCount))),
            ("open_items", .integer(Int(clamping: openItemCount))),
            ("workers", .integer(Int(workerCount))),
        ])
    }
}
