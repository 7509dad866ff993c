import Wire

// Producers submit, watch and ask.
extension AssemblerMachine {
    mutating func producer(
        _ connection: ConnectionID, _ message: ProducerMessage, known: KnownOrder?, now: Moment
    ) {
        let request = message.request
        if case .hello(let hello) = message.body { return greet(connection, request, hello, now: now) }
        guard producers[connection] != nil else {
            return refuse(connection, request: request, .session, "say hello first, on a fresh socket")
        }
        producers[connection] = now.instant
        switch message.body {
        case .hello: break
        case .submit(let submit): self.submit(connection, request, submit, known: known, now: now)
        case .page(let page): addPage(connection, request, page, now: now)
        case .watch(let watch): self.watch(connection, request, watch)
        case .tray(let tray):
            guard let order = orderID(OrderID(tray.order), byteCount: tray.order.count, connection, request)
            else { return }
            let countMax = min(Int(tray.itemCountMax), Limits.batchCountMax)
            answer(
                .answerTray(
                    connection, request: request, order, from: Int(tray.firstIndex), countMax: countMax))
        case .cancel(let cancel):
            guard
                let order = orderID(OrderID(cancel.order), byteCount: cancel.order.count, connection, request)
            else { return }
            _ = self.cancel(order, now: now)
            answer(.answerTray(connection, request: request, order, from: 0, countMax: 0))
        case .list(let list): answer(.answerList(connection, request: request, list))
        case .workers: answer(.answer(connection, request: request, .workers(workerList(now: now.instant))))
        case .stations: answer(.answer(connection, request: request, .stations(stationList())))
        case .ping: answer(.answer(connection, request: request, .pong(pong())))
        case nil:
            refuse(connection, request: request, .unsupported, WireError.unknownBody.description)
        }
    }

    private mutating func answer(_ action: Action) { round.step.actions.append(action) }

    mutating func malformed(_ connection: ConnectionID?, _ endpoint: DoorName, _ error: WireError) {
        counters.malformedCount += 1
        note(.malformed(connection, endpoint, error.description))
        guard let connection else { return }
        let refusal = Refusal.with {
            $0.reason = error == .unknownBody ? .unsupported : .malformed
            $0.message = error.description
            $0.versions = Frames.versions
        }
        switch endpoint {
        case .orders: answer(.answer(connection, request: 0, .refusal(refusal)))
        case .kitchen: answer(.tellWorker(connection, .refusal(refusal)))
        case .events: break
        }
        forgetStranger(connection)
    }

    private mutating func greet(
        _ connection: ConnectionID, _ request: UInt64, _ hello: ProducerHello, now: Moment
    ) {
        guard let version = Frames.commonVersion(with: hello.versions) else {
            return refuse(connection, request: request, .version, versionMessage(hello.versions))
        }
        if producers.updateValue(now.instant, forKey: connection) == nil {
            timers.set(
                .producerSilence(connection), at: now.instant.advanced(by: configuration.producerSilenceMax))
        }
        let welcome = ProducerWelcome.with {
            $0.version = version
            $0.incarnation = incarnation
            $0.contentBytesMax = UInt64(Limits.contentBytesMax)
            $0.messageBytesMax = UInt64(Limits.messageBytesMax)
            $0.itemCountMax = UInt32(Limits.orderItemCountMax)
            $0.pageItemCountMax = UInt32(Limits.pageItemCountMax)
            $0.program = configuration.program
        }
        answer(.answer(connection, request: request, .welcome(welcome)))
    }

    mutating func producerSilent(_ connection: ConnectionID, now: Instant) {
        guard let lastHeard = producers[connection] else { return }
        let limit = lastHeard.advanced(by: configuration.producerSilenceMax)
        guard now >= limit else { return timers.set(.producerSilence(connection), at: limit) }
        producers[connection] = nil
        round.forgotten.append(connection)
    }

    /// - Parameter byteCount: of the field that it was read from.
    private mutating func orderID(
        _ order: OrderID?, byteCount: Int, _ connection: ConnectionID, _ request: UInt64
    ) -> OrderID? {
        if let order { return order }
        refuse(connection, request: request, .malformed, "an order id has 16 bytes, not \(byteCount)")
        return nil
    }

    // MARK: Submitting

    private mutating func submit(
        _ connection: ConnectionID, _ request: UInt64, _ submit: Submit, known: KnownOrder?, now: Moment
    ) {
        guard let order = orderID(OrderID(submit.order), byteCount: submit.order.count, connection, request)
        else { return }
        if let known = inMemory(order, key: submit.spec.key) ?? known {
            return answerKnown(connection, request, known, submit, now: now)
        }
        if let complaint = SubmissionRules.complaint(about: submit)
            ?? SubmissionRules.complaint(about: submit.items, from: 0, openSlots: Int(submit.itemCount))
        {
            return refuse(connection, request: request, .invalid, complaint)
        }
        if let (reason, complaint) = whyNotNow(itemCount: Int(submit.itemCount), items: submit.items) {
            return refuse(connection, request: request, reason, complaint, retryAfter: .seconds(1))
        }
        let accepted = AcceptedOrder(
            id: order, spec: submit.spec, itemCount: Int(submit.itemCount),
            fingerprint: Array(submit.fingerprint),
            acceptedAt: now.wall)
        trays[order] = Tray(
            accepted, workerDeathsMax: configuration.workerDeathsMax, arrivedAt: now.instant,
            now: now.instant)
        if !submit.spec.key.isEmpty { keys[submit.spec.key] = order }
        // All of them from here on, or two orders that came page by page could fill the shop and wait for each other.
        openItemCount += accepted.itemCount
        round.step.changes.append(.accepted(accepted))
        add(submit.items, to: order, connection, request, now: now)
        if trays[order]?.phase == .filling { armFillingSilence(order, now.instant) }
    }

    private mutating func addPage(_ connection: ConnectionID, _ request: UInt64, _ page: Page, now: Moment) {
        guard let order = orderID(OrderID(page.order), byteCount: page.order.count, connection, request)
        else { return }
        guard let tray = trays[order], tray.phase == .filling, !hasLapsed(tray, now: now.instant) else {
            if let tray = trays[order], tray.phase != .filling {
                return answerReceipt(connection, request, tray.id, known: true)
            }
            return refuse(
                connection, request: request, .notFound, "\(order) is not being submitted; submit it first")
        }
        // A page that is here already, or that has lost the one before it: say where to go on.
        guard Int(page.firstIndex) == tray.slots.count else { return answerTaken(connection, request, order) }
        if let complaint = SubmissionRules.complaint(
            about: page.items, from: tray.slots.count, openSlots: tray.itemCount - tray.slots.count)
        {
            return refuse(connection, request: request, .invalid, complaint)
        }
        if let (reason, complaint) = whyNotNow(itemCount: 0, items: page.items) {
            return refuse(connection, request: request, reason, complaint, retryAfter: .seconds(1))
        }
        add(page.items, to: order, connection, request, now: now)
    }

    private mutating func add(
        _ items: [Item], to order: OrderID, _ connection: ConnectionID, _ request: UInt64, now: Moment
    ) {
        let firstIndex = trays.visit(order, { $0.slots.count }) ?? 0
        _ = trays.visit(order) { $0.expect(items.count) }
        // Read where they stand: to walk over them would copy each.
        for index in items.indices { addSlot(ItemHead(items[index]), to: order) }
        trays[order]?.filledAt = now.instant
        if !items.isEmpty {
            round.step.changes.append(.page(order: order, firstIndex: firstIndex, items: items))
        }
        guard trays[order]?.isFull == true else { return answerTaken(connection, request, order) }
        round.step.changes.append(.sealed(order: order))
        note(.orderAccepted(order, items: trays[order]?.itemCount ?? 0))
        seal(order, now: now)
        answerReceipt(connection, request, order, known: false)
    }

    mutating func addSlot(_ head: ItemHead, to order: OrderID) {
        let station = station(named: head.station)
        let kind = Tray.Kind(
            station: station, timeout: head.timeout ?? configuration.attemptTimeout,
            attemptsMax: head.attemptsMax ?? configuration.attemptsMax)
        _ = trays.visit(order) { $0.add(head, kind: kind) }
        stations[station.value].openCount += 1
        openBytes += head.byteCount
    }

    /// All items are there: limits begin to count, and work begins.
    private mutating func seal(_ order: OrderID, now: Moment) {
        trays[order]?.seal()
        runningOrderCount += 1
        armLimits(order, now: now)
        if let verdict = trays[order]?.verdict { endIfDecided(order, verdict, now: now) }
        begin(order, now: now)
    }

    private func inMemory(_ order: OrderID, key: String) -> KnownOrder? {
        guard let tray = trays[order] ?? keys[key].flatMap({ trays[$0] }) else { return nil }
        return KnownOrder(id: tray.id, status: status(of: tray), fingerprint: tray.accepted.fingerprint)
    }

    private mutating func answerKnown(
        _ connection: ConnectionID, _ request: UInt64, _ known: KnownOrder, _ submit: Submit, now: Moment
    ) {
        let half = trays[known.id].flatMap { $0.phase == .filling ? $0 : nil }
        if let half, hasLapsed(half, now: now.instant) {
            return refuse(
                connection, request: request, .unavailable,
                "half of order \(known.id) is being deleted: no page of it came for a minute",
                retryAfter: .milliseconds(50))
        }
        guard known.fingerprint == Array(submit.fingerprint) else {
            let what = OrderID(submit.order) == known.id ? "order \(known.id)" : "key '\(submit.spec.key)'"
            return refuse(
                connection, request: request, .conflict,
                "\(what) is known already, with other content; use another \(submit.spec.key.isEmpty ? "id" : "key")"
            )
        }
        if half != nil { return reopen(known.id, connection, request, now: now) }
        answer(
            .answer(
                connection, request: request,
                .receipt(
                    Receipt.with {
                        $0.order = known.id.data
                        $0.status = known.status
                        $0.known = true
                    })))
    }

    /// Whoever has the id, or the key, and the content goes on where the last one stopped.
    ///
    /// It does not live longer for that: only a page that is taken is a step towards the receipt.
    private mutating func reopen(
        _ order: OrderID, _ connection: ConnectionID, _ request: UInt64, now: Moment
    ) {
        if let (reason, complaint) = whyNotNow(itemCount: 0, items: []) {
            return refuse(connection, request: request, reason, complaint, retryAfter: .seconds(1))
        }
        if let accepted = trays.visit(order, { $0.reopen(now: now) }) {
            round.step.changes.append(.reopened(accepted))
        }
        answerTaken(connection, request, order)
    }

    private mutating func answerReceipt(
        _ connection: ConnectionID, _ request: UInt64, _ order: OrderID, known: Bool
    ) {
        let receipt = Receipt.with {
            $0.order = order.data
            $0.status = trays[order].map(status) ?? .running
            $0.known = known
        }
        answer(.answer(connection, request: request, .receipt(receipt)))
    }

    private mutating func answerTaken(_ connection: ConnectionID, _ request: UInt64, _ order: OrderID) {
        let taken = PageTaken.with {
            $0.order = order.data
            $0.nextIndex = UInt32(trays[order]?.slots.count ?? 0)
        }
        answer(.answer(connection, request: request, .pageTaken(taken)))
    }

    // MARK: Admission

    private func whyNotNow(itemCount: Int, items: [Item]) -> (Refusal.Reason, String)? {
        if storeIsShort {
            return (.unavailable, "the assembler's disk is nearly full: no new orders are taken")
        }
        guard openItemCount + itemCount <= configuration.openItemCountMax else {
            return (
                .full,
                "\(openItemCount) items are open, and at most \(configuration.openItemCountMax) may be"
            )
        }
        var byteCount = 0
        // As in `add`: no copies.
        for index in items.indices { byteCount += items[index].payload.data.count }
        guard openBytes + byteCount <= configuration.openBytesMax else {
            return (
                .full,
                "\(openBytes) bytes of payload are open, and at most \(configuration.openBytesMax) may be"
            )
        }
        return nil
    }

    mutating func armFillingSilence(_ order: OrderID, _ now: Instant) {
        timers.set(.fillingSilence(order), at: now.advanced(by: configuration.fillingSilenceMax))
    }

    mutating func fillingSilent(_ order: OrderID, now: Instant) {
        guard let tray = trays[order], tray.phase == .filling else { return }
        guard hasLapsed(tray, now: now) else {
            return timers.set(.fillingSilence(order), at: lapse(of: tray))
        }
        abandon(order)
    }

    private func lapse(of tray: Tray) -> Instant {
        tray.filledAt.advanced(by: configuration.fillingSilenceMax)
    }

    /// This round deletes the half order: nothing may be promised of it.
    private func hasLapsed(_ tray: Tray, now: Instant) -> Bool { now >= lapse(of: tray) }

    // MARK: Watching

    private mutating func watch(_ connection: ConnectionID, _ request: UInt64, _ watch: Watch) {
        guard let order = orderID(OrderID(watch.order), byteCount: watch.order.count, connection, request)
        else { return }
        let watcher = Watcher(
            connection: connection, request: request, after: Int(watch.afterLanding),
            countMax: min(max(1, Int(watch.outcomeCountMax)), Limits.batchCountMax))
        guard watch.wait, let tray = trays[order], tray.isRunning, tray.lastLanding <= watcher.after else {
            return answer(
                .answerOutcomes(
                    connection, request: request, order, after: watcher.after, countMax: watcher.countMax))
        }
        // Those whose connection has gone leave when somebody else comes.
        let isLive = { [producers] (watcher: Watcher) in producers[watcher.connection] != nil }
        watchers[order, default: []].removeAll { !isLive($0) }
        guard
            watchers[order, default: []].count(where: { $0.connection == connection }) < Limits.watchCountMax
        else {
            return refuse(
                connection, request: request, .full,
                "this connection waits for \(order) \(Limits.watchCountMax) times already",
                retryAfter: .seconds(1))
        }
        watchers[order, default: []].append(watcher)
    }
}
