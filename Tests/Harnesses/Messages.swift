import Foundation
import Wire

// Messages of every kind, valid and not, with whatever their fields can hold.

extension Generator {
    package mutating func workerMessage() -> WorkerMessage {
        var message = WorkerMessage()
        message.session = bool() ? UInt64(int(0...4)) : number()
        switch int(0...7) {
        case 0: message.hello = workerHello()
        case 1: message.heartbeat = Heartbeat()
        case 2:
            message.credit.stations = list(atMost: 4) { $0.stationCapacity() }
            message.credit.draining = once(in: 4)
        case 3: message.started.leases = list(atMost: 4) { $0.leaseID() }
        case 4, 5: message.results.results = list(atMost: 4) { $0.itemResult() }
        case 6: message.farewell = Farewell()
        default: break
        }
        return message
    }

    package mutating func kitchenMessage() -> KitchenMessage {
        var message = KitchenMessage()
        switch int(0...7) {
        case 0: message.welcome = workerWelcome()
        case 1: message.refusal = refusal()
        case 2, 3: message.leases.leases = list(atMost: 4) { $0.lease() }
        case 4:
            message.acks.acks = list(atMost: 4) { generator in
                Ack.with {
                    $0.lease = generator.leaseID()
                    $0.fate = Ack.Fate(rawValue: generator.int(-1...6)) ?? .unspecified
                }
            }
        case 5:
            message.revokes.revokes = list(atMost: 4) { generator in
                Revoke.with {
                    $0.lease = generator.leaseID()
                    $0.reason = Revoke.Reason(rawValue: generator.int(-1...6)) ?? .unspecified
                }
            }
        case 6: message.heartbeat = Heartbeat()
        default: break
        }
        return message
    }

    package mutating func producerMessage() -> ProducerMessage {
        var message = ProducerMessage()
        message.request = bool() ? UInt64(int(0...9)) : number()
        switch int(0...12) {
        case 0:
            message.hello.versions = versions()
            message.hello.program = text()
        case 1, 2: message.submit = submit()
        case 3:
            message.page.order = orderID()
            message.page.firstIndex = bool() ? UInt32(int(0...5)) : word32()
            message.page.items = list(atMost: 4) { $0.item() }
        case 4:
            message.watch.order = orderID()
            message.watch.afterLanding = word32()
            message.watch.outcomeCountMax = word32()
            message.watch.wait = bool()
        case 5:
            message.tray.order = orderID()
            message.tray.firstIndex = word32()
            message.tray.itemCountMax = word32()
        case 6:
            if bool() { message.list.status = orderStatus() }
            if bool() { message.list.afterOrder = orderID() }
            message.list.orderCountMax = word32()
        case 7: message.cancel.order = orderID()
        case 8: message.workers = WorkersRequest()
        case 9: message.stations = StationsRequest()
        case 10: message.ping = Ping()
        default: break
        }
        return message
    }

    package mutating func ordersMessage() -> OrdersMessage {
        var message = OrdersMessage()
        message.request = bool() ? UInt64(int(0...9)) : number()
        switch int(0...11) {
        case 0: message.welcome = producerWelcome()
        case 1: message.refusal = refusal()
        case 2:
            message.receipt.order = orderID()
            message.receipt.status = orderStatus()
            message.receipt.known = bool()
        case 3:
            message.pageTaken.order = orderID()
            message.pageTaken.nextIndex = bool() ? UInt32(int(0...600)) : word32()
        case 4:
            message.outcomes.outcomes = list(atMost: 4) { $0.outcome() }
            message.outcomes.summary = summary()
        case 5:
            message.tray.summary = summary()
            message.tray.items = list(atMost: 4) { $0.trayItem() }
        case 6:
            message.list.orders = list(atMost: 4) { $0.summary() }
            message.list.more = bool()
        case 7: message.workers.workers = list(atMost: 3) { $0.workerState() }
        case 8: message.stations.stations = list(atMost: 3) { $0.stationState() }
        case 9: message.pong = pong()
        default: break
        }
        return message
    }
}

// MARK: - What they are made of

extension Generator {
    package mutating func versions() -> VersionRange {
        once(in: 4)
            ? .with { ($0.lowest, $0.highest) = (word32(), word32()) }
            : .with { ($0.lowest, $0.highest) = (1, UInt32(int(1...3))) }
    }

    package mutating func orderID() -> Data {
        once(in: 6) ? Data(bytes(atMost: 20)) : OrderID(high: 7, low: UInt64(int(0...3))).data
    }

    package mutating func leaseID() -> LeaseID {
        let lease =
            once(in: 4)
            ? LeaseID(incarnation: word32(), number: number())
            : LeaseID(incarnation: UInt32(int(0...2)), number: UInt64(int(0...8)))
        return once(in: 8) ? lease.withLaterField(UInt8(int(1...3))) : lease
    }

    package mutating func content() -> Content {
        .with {
            $0.kind = ContentKind(rawValue: int(-1...3)) ?? .bytes
            $0.data = Data(bool() ? bytes(atMost: 20) : Array(text().utf8))
        }
    }

    private mutating func itemError() -> ItemError {
        .with {
            $0.kind = FailureKind(rawValue: int(-1...7)) ?? .failed
            $0.message = text()
        }
    }

    private mutating func stationCapacity() -> StationCapacity {
        .with {
            $0.station = label()
            $0.capacity = bool() ? UInt32(int(0...4)) : word32()
        }
    }

    private mutating func claim() -> Claim {
        .with {
            $0.lease = leaseID()
            $0.order = orderID()
            $0.index = bool() ? UInt32(int(0...5)) : word32()
            $0.started = bool()
        }
    }

    private mutating func workerHello() -> WorkerHello {
        .with {
            $0.versions = versions()
            $0.name = label()
            $0.instance =
                once(in: 6) ? Data(bytes(atMost: 20)) : Data(repeating: UInt8(int(0...3)), count: 16)
            $0.stations = list(atMost: 4) { $0.stationCapacity() }
            $0.running = list(atMost: 3) { $0.claim() }
            $0.held = list(atMost: 3) { $0.claim() }
            $0.program = text()
        }
    }

    private mutating func itemResult() -> ItemResult {
        .with {
            $0.lease = leaseID()
            $0.order = orderID()
            $0.index = bool() ? UInt32(int(0...5)) : word32()
            $0.elapsedUs = number()
            switch int(0...6) {
            case 0...2: $0.done = content()
            case 3, 4:
                $0.failed.error = itemError()
                $0.failed.permanent = bool()
            case 5: $0.returned.reason = Returned.Reason(rawValue: int(-1...5)) ?? .draining
            default: break
            }
        }
    }

    private mutating func workerWelcome() -> WorkerWelcome {
        .with {
            $0.version = once(in: 4) ? word32() : 1
            $0.session = once(in: 4) ? number() : 1
            $0.incarnation = word32()
            $0.name = text()
            $0.heartbeatIntervalMs = bool() ? 500 : word32()
            $0.heartbeatLimit = bool() ? 4 : word32()
            $0.contentBytesMax = number()
            $0.messageBytesMax = number()
        }
    }

    private mutating func refusal() -> Refusal {
        .with {
            $0.reason = Refusal.Reason(rawValue: int(-1...12)) ?? .malformed
            $0.message = text()
            $0.versions = versions()
            $0.retryAfterMs = number()
        }
    }

    package mutating func lease() -> Lease {
        .with {
            $0.lease = leaseID()
            $0.order = orderID()
            $0.index = word32()
            $0.station = label()
            $0.attempt = word32()
            $0.timeoutMs = number()
            $0.payload = content()
            $0.name = text()
        }
    }

    package mutating func item() -> Item {
        .with {
            $0.name = text()
            $0.station = label()
            if bool() { $0.payload = content() }
            if once(in: 3) { $0.timeoutMs = number() }
            if once(in: 3) { $0.attemptsMax = word32() }
        }
    }

    private mutating func submit() -> Submit {
        .with {
            $0.order = orderID()
            $0.spec = orderSpec()
            $0.items = list(atMost: 5) { $0.item() }
            $0.itemCount = once(in: 4) ? word32() : UInt32($0.items.count)
            $0.fingerprint = Data(once(in: 6) ? bytes(atMost: 70) : Array(repeating: 1, count: 32))
        }
    }

    private mutating func orderSpec() -> OrderSpec {
        .with {
            $0.name = text()
            $0.key = once(in: 3) ? text() : ""
            $0.failure = FailurePolicy(rawValue: int(-1...5)) ?? .isolate
            $0.tolerated = once(in: 3) ? word32() : UInt32(int(0...3))
            $0.enough = once(in: 4) ? word32() : UInt32(int(0...2))
            $0.maxParallel = once(in: 3) ? word32() : 0
            if once(in: 3) { $0.deadlineMs = number() }
            $0.priority = once(in: 4) ? Int32(truncatingIfNeeded: number()) : Int32(int(-100...100))
            $0.notBeforeMs = once(in: 3) ? number() : 0
        }
    }

    private mutating func orderStatus() -> OrderStatus { OrderStatus(rawValue: int(-1...7)) ?? .running }

    private mutating func itemStatus() -> ItemStatus { ItemStatus(rawValue: int(-1...8)) ?? .waiting }

    private mutating func producerWelcome() -> ProducerWelcome {
        .with {
            $0.version = once(in: 4) ? word32() : 1
            $0.incarnation = word32()
            $0.contentBytesMax = number()
            $0.messageBytesMax = number()
            $0.itemCountMax = word32()
            $0.pageItemCountMax = bool() ? UInt32(int(0...300)) : word32()
            $0.program = text()
        }
    }

    package mutating func summary() -> OrderSummary {
        .with {
            $0.order = orderID()
            $0.name = text()
            $0.status = orderStatus()
            $0.itemCount = bool() ? UInt32(int(0...6)) : word32()
            $0.doneCount = word32()
            $0.failedCount = word32()
            $0.cancelledCount = word32()
            $0.expiredCount = word32()
            $0.poisonedCount = word32()
            $0.waitingCount = word32()
            $0.leasedCount = word32()
            $0.acceptedAtMs = number()
            $0.finishedAtMs = number()
            $0.elapsedUs = number()
            $0.lastLanding = bool() ? UInt32(int(0...6)) : word32()
        }
    }

    package mutating func outcome() -> Outcome {
        .with {
            $0.landing = bool() ? UInt32(int(0...6)) : word32()
            $0.index = bool() ? UInt32(int(0...6)) : word32()
            $0.status = itemStatus()
            $0.attempts = word32()
            $0.worker = label()
            if bool() { $0.result = content() }
            if bool() { $0.error = itemError() }
            $0.startedAtMs = number()
            $0.finishedAtMs = number()
        }
    }

    package mutating func trayItem() -> TrayItem {
        .with {
            $0.index = bool() ? UInt32(int(0...6)) : word32()
            $0.name = text()
            $0.station = label()
            $0.status = itemStatus()
            $0.attempts = word32()
            $0.worker = label()
            $0.startedAtMs = number()
        }
    }

    private mutating func workerState() -> WorkerState {
        .with {
            $0.name = label()
            $0.instance = Data(bytes(atMost: 16))
            $0.session = number()
            $0.draining = bool()
            $0.connectedAtMs = number()
            $0.silentMs = number()
            $0.doneCount = number()
            $0.failedCount = number()
            $0.program = text()
            $0.stations = list(atMost: 3) { generator in
                WorkerStation.with {
                    $0.station = generator.label()
                    $0.capacity = generator.word32()
                    $0.leasedCount = generator.word32()
                    $0.stoppingCount = generator.word32()
                    $0.failuresInRow = generator.word32()
                    $0.onProbation = generator.bool()
                    $0.pauseMs = generator.number()
                    $0.lastFailure = generator.text()
                    $0.apart = generator.bool()
                }
            }
        }
    }

    private mutating func stationState() -> StationState {
        .with {
            $0.station = label()
            $0.waitingCount = number()
            $0.leasedCount = number()
            $0.workerCount = word32()
            $0.capacity = number()
            $0.suspectCount = number()
        }
    }

    private mutating func pong() -> Pong {
        .with {
            $0.incarnation = word32()
            $0.program = text()
            $0.runningOrderCount = number()
            $0.openItemCount = number()
            $0.workerCount = word32()
            $0.counters.lateResultCount = number()
            $0.counters.malformedCount = number()
            $0.counters.poisonedCount = number()
        }
    }
}

extension LeaseID {
    /// With a field that a later version has added: number 15, a varint.
    package func withLaterField(_ value: UInt8) -> LeaseID {
        do {
            return try LeaseID(serializedBytes: serializedBytes() as [UInt8] + [15 << 3, value & 0x7F])
        } catch {
            preconditionFailure("a lease with one field more does not decode: \(error)")
        }
    }
}
