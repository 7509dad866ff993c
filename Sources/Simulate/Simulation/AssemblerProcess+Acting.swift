import AssemblerCore
import Wire

// What the assembler's shell does once the changes of the round are in the store.
extension World {
    mutating func perform(_ actions: [Action], at instant: Instant) {
        // Workers are few: they are looked through.
        var batches: [(connection: ConnectionID, grants: [Grant])] = []
        let moment = Moment(instant: instant, wall: now.wall)
        for action in actions {
            switch action {
            case .tellWorker(let connection, let body):
                sendToWorker(connection, KitchenMessage.with { $0.body = body }, at: instant)
            case .lease(let connection, let grant):
                if let known = batches.firstIndex(where: { $0.connection == connection }) {
                    batches[known].grants.append(grant)
                } else {
                    batches.append((connection, [grant]))
                }
            case .answer(let connection, let request, let body):
                answer(connection, request, body, at: instant)
            case .answerOutcomes(let connection, let request, let order, let after, let countMax):
                answer(connection, request, outcomes(order, after, countMax, moment), at: instant)
            case .answerTray(let connection, let request, let order, let index, let countMax):
                answer(connection, request, tray(order, index, countMax, moment), at: instant)
            case .answerList(let connection, let request, let list):
                answer(connection, request, self.list(list, moment), at: instant)
            case .forget(let connection): forget(connection)
            case .note(let note):
                trace.line(.assembler, "notes \(note.text)")
            }
        }
        for (connection, grants) in batches { sendLeases(grants, to: connection, at: instant) }
    }

    private mutating func forget(_ connection: ConnectionID) {
        if let route = assembler.forget(connection) { connections[route].known = nil }
    }

    private mutating func sendLeases(_ grants: [Grant], to connection: ConnectionID, at instant: Instant) {
        var batch = LeaseBatch()
        var byteCount = 0
        for grant in grants {
            guard let item = assembler.store.item(grant.index, of: grant.order) else {
                return auditor.blame("lease \(grant.lease.text) is of an item that the store does not have")
            }
            let size = item.payload.data.count
            let isFull = byteCount + size > Limits.batchBytesAim || batch.leases.count >= Limits.batchCountMax
            if isFull, !batch.leases.isEmpty {
                sendToWorker(connection, KitchenMessage.with { $0.leases = batch }, at: instant)
                batch = LeaseBatch()
                byteCount = 0
            }
            batch.leases.append(
                Lease.with {
                    $0.lease = grant.lease
                    $0.order = grant.order.data
                    $0.index = UInt32(grant.index)
                    $0.station = grant.station
                    $0.attempt = UInt32(grant.attempt)
                    $0.timeoutMs = UInt64(clamping: grant.timeout.milliseconds)
                    $0.payload = item.payload
                    $0.name = item.name
                })
            byteCount += size
        }
        sendToWorker(connection, KitchenMessage.with { $0.leases = batch }, at: instant)
    }

    private mutating func sendToWorker(
        _ connection: ConnectionID, _ message: KitchenMessage, at instant: Instant
    ) {
        auditor.says(message)
        send(Frames.encode(message), to: connection, at: instant) { message.text }
    }

    private mutating func answer(
        _ connection: ConnectionID, _ request: UInt64, _ body: OrdersMessage.OneOf_Body, at instant: Instant
    ) {
        var message = OrdersMessage.with {
            $0.request = request
            $0.body = body
        }
        if case .welcome = body { message.welcome.pageItemCountMax = UInt32(plan.pageItemCountMax) }
        auditor.says(message)
        send(Frames.encode(message), to: connection, at: instant) { message.text }
    }

    private mutating func send(
        _ frames: [[UInt8]], to connection: ConnectionID, at instant: Instant, _ text: () -> String
    ) {
        guard let route = assembler.route(of: connection), connections[route].isOpenForAssembler else {
            assembler.unreachable.append(connection)
            return
        }
        let client = connections[route].client
        if plan.has(.fullPipes), isFaulty, isDeaf(client), connections[route].toClient.waitingCount > 8 {
            trace.line(.assembler, "→ \(client.text)  does not fit its pipe: \(text())")
            assembler.unreachable.append(connection)
            return
        }
        trace.line(.assembler, "→ \(client.text)  \(text())")
        sendToClient(frames, on: route, from: instant)
    }

    private mutating func isDeaf(_ client: Party) -> Bool {
        frozen.contains(client) || (cuts[client].map { $0 > now.instant } ?? false)
            || networkDice.chance(10)
    }

    // MARK: Answers out of the store

    private func outcomes(
        _ order: OrderID, _ after: Int, _ countMax: Int, _ moment: Moment
    ) -> OrdersMessage.OneOf_Body {
        guard let summary = summary(of: order, moment) else { return .refusal(notFound(order)) }
        return .outcomes(
            OutcomeBatch.with {
                $0.outcomes = assembler.store.outcomes(of: order, after: after, countMax: countMax)
                $0.summary = summary
            })
    }

    private func tray(
        _ order: OrderID, _ index: Int, _ countMax: Int, _ moment: Moment
    ) -> OrdersMessage.OneOf_Body {
        guard let summary = summary(of: order, moment) else { return .refusal(notFound(order)) }
        var tray = TrayPage()
        tray.summary = summary
        guard countMax > 0, index < summary.itemCount,
            let page = assembler.store.page(of: order, containing: index)
        else { return .tray(tray) }
        let items = page.items.dropFirst(index - page.firstIndex).prefix(countMax)
        let views =
            assembler.running?.ask {
                $0.slots(of: order, from: index, countMax: min(countMax, Limits.pageItemCountMax))
            }
            ?? assembler.store.statuses(of: order).dropFirst(index).prefix(items.count)
            .map { SlotView(status: $0) }
        tray.items = zip(items, views).enumerated().map { offset, pair in
            TrayItem.with {
                $0.index = UInt32(index + offset)
                $0.name = pair.0.name
                $0.station = pair.0.station
                $0.status = pair.1.status
                $0.attempts = UInt32(pair.1.attempts)
                $0.worker = pair.1.worker
                $0.startedAtMs = UInt64(clamping: pair.1.leasedAt?.milliseconds ?? 0)
            }
        }
        return .tray(tray)
    }

    private func list(_ list: ListRequest, _ moment: Moment) -> OrdersMessage.OneOf_Body {
        let page = assembler.store.list(
            list.hasStatus ? list.status : nil, before: OrderID(list.afterOrder),
            countMax: min(max(1, Int(list.orderCountMax)), Limits.batchCountMax))
        return .list(
            OrderList.with {
                $0.orders = page.orders.map { stored in
                    OrderID(stored.order).flatMap { summary(of: $0, moment) } ?? stored
                }
                $0.more = page.more
            })
    }

    private func summary(of order: OrderID, _ moment: Moment) -> OrderSummary? {
        assembler.running?.ask { $0.summary(of: order, now: moment) } ?? assembler.store.summary(of: order)
    }

    private func notFound(_ order: OrderID) -> Refusal {
        Refusal.with {
            $0.reason = .notFound
            $0.message = "no order \(order) is known"
        }
    }
}
