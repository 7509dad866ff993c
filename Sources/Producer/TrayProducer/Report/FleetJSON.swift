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
            ("silent_seconds", .number(Figures.seconds(milliseconds: silentMs))),
            ("connected_at", .optional(Figures.time(milliseconds: connectedAtMs))),
            ("stations", .array(stations.map(\.json))),
        ])
    }
}

/// How the assembler treats a worker at a station.
package enum StationConduct: String {
    case serving, probation
    /// It runs suspects and nothing else, or is about to.
    case apart
}

extension WorkerStation {
    package var conduct: StationConduct { apart ? .apart : onProbation ? .probation : .serving }

    fileprivate var json: JSONValue {
        .object([
            ("station", .string(station)),
            ("capacity", .integer(Int(capacity))),
            ("leased", .integer(Int(leasedCount))),
            ("stopping", .integer(Int(stoppingCount))),
            ("state", .string(conduct.rawValue)),
            ("failures_in_row", .integer(Int(failuresInRow))),
            ("pause_seconds", .number(Figures.seconds(milliseconds: pauseMs))),
            ("last_failure", lastFailure.isEmpty ? .null : .string(lastFailure)),
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
            ("suspects", .integer(Int(clamping: suspectCount))),
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
            ("counters", counters.json),
        ])
    }
}

extension Counters {
    fileprivate var json: JSONValue {
        .object([
            ("late_results", .integer(Int(clamping: lateResultCount))),
            ("malformed_messages", .integer(Int(clamping: malformedCount))),
            ("failed_handshakes", .integer(Int(clamping: handshakeFailedCount))),
            ("refused_messages", .integer(Int(clamping: refusedCount))),
            ("lost_workers", .integer(Int(clamping: workerLostCount))),
            ("failed_attempts", .integer(Int(clamping: attemptFailedCount))),
            ("lost_attempts", .integer(Int(clamping: attemptLostCount))),
            ("poisoned_items", .integer(Int(clamping: poisonedCount))),
        ])
    }
}
