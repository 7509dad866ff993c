import DequeModule
import OrderedCollections
import ProducerCore
import Wire

/// A producer's process: the shell around its core. `ClientShell` is the real one.
struct ProducerProcess {
    let index: Int
    var process = 0
    var running: Running<Client>?
    var link = SimulatedLink()
    var arrivals: Deque<LinkEvent> = []
    var alarm = Alarm()
    /// What each call is for.
    var calls: OrderedDictionary<CallID, Purpose> = [:]
    var lastCall: UInt64 = 0

    enum Purpose: Equatable {
        case submit(errand: Int)
        case watch(errand: Int)
        case cancel(errand: Int)
        /// The same order with other content.
        case conflict(errand: Int)
        case look(errand: Int)
    }

    init(index: Int) { self.index = index }

    var isRunning: Bool { running != nil }
}

extension World {
    mutating func startProducer(_ index: Int) {
        guard !producers[index].isRunning else { return }
        producers[index].process += 1
        producers[index].arrivals = []
        producers[index].calls = [:]
        producers[index].lastCall = 0
        producers[index].alarm = Alarm()
        producers[index].link = SimulatedLink()
        producers[index].running = Running(Client(program: "simulated"))
        trace.line(.producer(index), "starts")
        connectLater(.producer(index), after: .zero)
        for errand in errands.indices where errands[errand].producer == index && !errands[errand].isOver {
            errands[errand].isUnderWay = false
            schedule.set(
                .errand(producer: index, errand),
                at: max(errands[errand].beginsAt, later(peopleDice.milliseconds(0...500))))
        }
    }

    mutating func killProducer(_ index: Int) {
        guard producers[index].isRunning else { return }
        let party = Party.producer(index)
        trace.line(party, "ends")
        if let connection = producers[index].link.connection {
            end(connection, by: .client, isTold: cuts[party].map { $0 <= now.instant } ?? true)
        }
        producers[index].running = nil
        for errand in errands.indices where errands[errand].producer == index && errands[errand].isVanishing {
            errands[errand].isOver = true
        }
        producers[index].link.phase = .closed
        frozen.remove(party)
        held[party] = nil
        schedule.set(.start(party), at: later(peopleDice.milliseconds(10...4_000)))
    }

    // MARK: The round

    mutating func producerRound(_ index: Int) {
        while producers[index].isRunning, let event = producers[index].arrivals.popFirst() {
            take(event, by: index)
        }
        guard let step = producers[index].running?.core.tick(now: now) else { return }
        perform(step, of: index)
        if let next = producers[index].running?.ask({ $0.nextDeadline }) { wake(.producer(index), at: next) }
    }

    private mutating func take(_ event: LinkEvent, by index: Int) {
        switch event {
        case .opened: handle(.linkOpened, of: index)
        case .closed: handle(.linkClosed, of: index)
        case .message(let frames):
            do throws(WireError) {
                handle(.received(try Frames.decode(frames, as: OrdersMessage.self)), of: index)
            } catch {
                handle(.undecodable(error), of: index)
            }
        }
    }

    mutating func handle(_ input: Client.Input, of index: Int) {
        guard let step = producers[index].running?.core.handle(input, now: now) else { return }
        countClientInput()
        perform(step, of: index)
    }

    private mutating func perform(_ step: Client.Step, of index: Int) {
        for action in step.actions {
            guard producers[index].isRunning else { return }
            switch action {
            case .send(let message): send(message, by: index)
            case .resetLink: resetLink(ofProducer: index)
            case .finish(let call, let result):
                guard let purpose = producers[index].calls.removeValue(forKey: call) else {
                    auditor.blame("call \(call.number) of \(Party.producer(index).text) is finished twice")
                    return
                }
                finished(purpose, result, by: index)
            case .note: break
            }
        }
    }

    private mutating func send(_ message: ProducerMessage, by index: Int) {
        guard let connection = producers[index].link.connection,
            connections[connection].isOpenForClient
        else { return }
        sendToAssembler(Frames.encode(message), on: connection)
        if isFaulty, plan.has(.garbage), peopleDice.chance(2) { sendToAssembler(garbage(), on: connection) }
    }

    private mutating func resetLink(ofProducer index: Int) {
        guard let connection = producers[index].link.connection else { return }
        trace.line(.producer(index), "gives its connection up")
        end(connection, by: .client, isTold: cuts[.producer(index)].map { $0 <= now.instant } ?? true)
        producers[index].arrivals = []
        connectLater(.producer(index))
    }

    mutating func ask(
        _ request: Request, _ purpose: ProducerProcess.Purpose, timeout: Duration?, by index: Int
    ) {
        guard producers[index].isRunning else { return }
        producers[index].lastCall += 1
        let call = CallID(producers[index].lastCall)
        producers[index].calls[call] = purpose
        handle(.start(call, request, timeout: timeout), of: index)
        wake(.producer(index), at: now.instant)
    }
}
