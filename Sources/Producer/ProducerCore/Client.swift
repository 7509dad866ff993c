import Wire

/// A producer's conversation with one assembler: one connection, many calls in flight.
///
/// Whatever is not answered is asked again on the next connection. Reads no clock: every door is handed the
/// moment.
public struct Client {
    /// What an answer belongs to.
    private enum Route: Equatable {
        case hello
        case ping
        case call(CallID)
    }

    private let program: String
    private var session = Session()
    private var pulse = Pulse()
    /// Only ever walked in the order of its sorted keys.
    private var calls: [CallID: Call] = [:]
    private var alarms = Alarms()
    /// Of this connection; only ever looked up.
    private var routes: [UInt64: Route] = [:]
    private var numbers = RequestNumbers()
    private var ignoredAnswerCount = 0

    /// - Parameter program: Name and version, for people.
    public init(program: String) { self.program = program }

    /// When `tick` wants to be called, at the latest.
    public var nextDeadline: Instant? {
        Instant.earliest(session.nextDeadline, pulse.nextDeadline, alarms.next)
    }

    public mutating func handle(_ input: Input, now moment: Moment) -> Step {
        var step = Step()
        let now = moment.instant
        switch input {
        case .linkOpened:
            loseLink()
            greet(now: now, &step)
        case .linkClosed:
            loseLink()
        case .received(let message):
            receive(message, now: now, &step)
        case .undecodable(let error):
            step.add(.note(.undecodable(error)))
            resetLink(&step)
        case .start(let id, let request, let timeout):
            start(id, Call(request, timeout: timeout, now: now), now: now, &step)
        case .abandon(let id):
            end(id)
        }
        return step
    }

    /// Does what has become due.
    public mutating func tick(now moment: Moment) -> Step {
        var step = Step()
        let now = moment.instant
        switch session.tick(now: now) {
        case .wait: break
        case .greet: greet(now: now, &step)
        case .giveUp:
            step.add(.note(.assemblerSilent(Defaults.assemblerSilenceMax)))
            resetLink(&step)
        }
        while let alarm = alarms.ring(now: now) { ring(alarm, now: now, &step) }
        switch pulse.tick(now: now) {
        case .wait: break
        case .ping: ping(&step)
        case .giveUp:
            step.add(.note(.assemblerSilent(Pulse.silenceMax)))
            resetLink(&step)
        }
        return step
    }
}

// MARK: - The connection

extension Client {
    private mutating func greet(now: Instant, _ step: inout Step) {
        session.greet(now: now)
        let number = numbers.next()
        routes[number] = .hello
        step.add(
            .send(
                .with {
                    $0.request = number
                    $0.hello.versions = Frames.versions
                    $0.hello.program = program
                }))
    }

    private mutating func ping(_ step: inout Step) {
        let number = numbers.next()
        routes[number] = .ping
        step.add(
            .send(
                .with {
                    $0.request = number
                    $0.ping = Ping()
                }))
    }

    private mutating func resetLink(_ step: inout Step) {
        loseLink()
        step.add(.resetLink)
    }

    /// All answers that were awaited on this connection will not come.
    private mutating func loseLink() {
        session.close()
        pulse.rest()
        routes.removeAll()
        for id in calls.keys.sorted() { calls[id]?.loseLink() }
    }

    private mutating func receive(_ message: OrdersMessage, now: Instant, _ step: inout Step) {
        guard !session.isAway else { return ignoreAnswer(&step) }
        pulse.hear(now: now)
        if case .refusal(let refusal) = message.body {
            // A hello that could not be read is refused under no number.
            if session.isGreeting { return refuseHello(refusal, now: now, &step) }
            if refusal.reason == .session { return resetLink(&step) }
        }
        switch routes.removeValue(forKey: message.request) {
        case .hello: welcome(message, now: now, &step)
        case .call(let id): answer(id, message, now: now, &step)
        case .ping: break
        case nil: ignoreAnswer(&step)
        }
    }

    /// A late answer to a call that was abandoned is a race, not an error.
    private mutating func ignoreAnswer(_ step: inout Step) {
        ignoredAnswerCount += 1
        step.add(.note(.answerIgnored(total: ignoredAnswerCount)))
    }

    private mutating func welcome(_ message: OrdersMessage, now: Instant, _ step: inout Step) {
        guard case .welcome(let welcome) = message.body else {
            step.add(.note(.undecodable(.unknownBody)))
            return resetLink(&step)
        }
        switch session.welcome(welcome) {
        case .ignore: ignoreAnswer(&step)
        case .failAll(let error): failAll(error, &step)
        case .begin:
            step.add(.note(.welcomed(program: welcome.program, incarnation: welcome.incarnation)))
            for id in calls.keys.sorted() { ask(id, now: now, &step) }
        }
    }

    private mutating func refuseHello(_ refusal: Refusal, now: Instant, _ step: inout Step) {
        step.add(.note(.helloRefused(refusal)))
        switch session.refuse(refusal, now: now) {
        case .ignore, .pause: break
        case .reset: resetLink(&step)
        case .failAll(let error): failAll(error, &step)
        }
    }
}

// MARK: - The calls

extension Client {
    private mutating func start(_ id: CallID, _ call: Call, now: Instant, _ step: inout Step) {
        precondition(calls[id] == nil, "call \(id) is started twice")
        if let error = session.dismissal { return step.add(.finish(id, .failure(error))) }
        calls[id] = call
        if let deadline = call.deadline { alarms.set(.deadline, for: id, at: deadline) }
        ask(id, now: now, &step)
    }

    /// Asks, if there is a session and the call is queued.
    private mutating func ask(_ id: CallID, now: Instant, _ step: inout Step) {
        guard let pageItemCountMax = session.pageItemCountMax,
            let message = calls[id]?.ask(pageItemCountMax: pageItemCountMax, numbers: &numbers)
        else { return }
        pulse.listen(now: now)
        send([message], for: id, &step)
    }

    private mutating func send(_ messages: [ProducerMessage], for id: CallID, _ step: inout Step) {
        for message in messages {
            routes[message.request] = .call(id)
            step.add(.send(message))
        }
    }

    private mutating func answer(_ id: CallID, _ message: OrdersMessage, now: Instant, _ step: inout Step) {
        guard let before = calls[id]?.requests, let pageItemCountMax = session.pageItemCountMax else {
            preconditionFailure(
                "request \(message.request) leads to call \(id), which does not wait for answers")
        }
        let action = calls[id]?.answer(
            message.request, message.body, pageItemCountMax: pageItemCountMax, now: now, numbers: &numbers)
        switch action {
        case nil: break
        case .send(let messages):
            send(messages, for: id, &step)
        case .ask:
            forget(before)
            ask(id, now: now, &step)
        case .postpone(let pause, let message):
            forget(before)
            alarms.set(.resume, for: id, at: now.advanced(by: pause))
            step.add(.note(.postponed(id, pause, message: message)))
        case .finish(let result):
            finish(id, result, &step)
        }
    }

    private mutating func ring(_ alarm: Alarms.Alarm, now: Instant, _ step: inout Step) {
        guard let call = calls[alarm.call] else { return }
        switch alarm.reason {
        case .resume:
            calls[alarm.call]?.resume()
            ask(alarm.call, now: now, &step)
        case .deadline:
            if call.hasExpired(now: now) {
                let error = call.refusalForNow ?? session.refusalForNow ?? .noAnswer
                finish(alarm.call, .failure(error), &step)
            } else if let deadline = call.deadline {
                // It has moved since the alarm was set.
                alarms.set(.deadline, for: alarm.call, at: deadline)
            }
        }
    }

    private mutating func failAll(_ error: CallError, _ step: inout Step) {
        for id in calls.keys.sorted() { finish(id, .failure(error), &step) }
    }

    private mutating func finish(
        _ id: CallID, _ result: Result<OrdersMessage.OneOf_Body, CallError>, _ step: inout Step
    ) {
        end(id)
        step.add(.finish(id, result))
    }

    private mutating func end(_ id: CallID) {
        // Abandoning a call that has just ended is a race, not an error.
        guard let call = calls.removeValue(forKey: id) else { return }
        forget(call.requests)
        if calls.isEmpty { pulse.rest() }
        alarms.prune { calls[$0] == nil }
    }

    private mutating func forget(_ requests: [UInt64]) {
        for request in requests { routes[request] = nil }
    }
}
