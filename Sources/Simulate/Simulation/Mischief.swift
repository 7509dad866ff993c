import Wire

// What workers say that no honest worker would.
extension World {
    /// The frames that go out for a message, and what goes out beside it.
    func tampered(_ message: WorkerMessage, by index: Int) -> [[[UInt8]]] {
        var message = message
        var more: [[[UInt8]]] = []
        switch workers[index].character {
        case .honest, .failing: break
        case .speaking(let lowest, let highest):
            if case .hello = message.body {
                message.hello.versions.lowest = lowest
                message.hello.versions.highest = highest
            }
        case .liar where isFaulty:
            if case .hello = message.body {
                for _ in 0..<handlerDice.number(0...4) {
                    // One lease is claimed once: of two claims to one, nobody can say which was answered.
                    let claimed = (message.hello.running + message.hello.held).map(\.lease)
                    guard let claim = lie(), !claimed.contains(claim.lease) else { continue }
                    if handlerDice.chance(50) {
                        message.hello.running.append(claim)
                    } else {
                        message.hello.held.append(claim)
                    }
                }
            } else if handlerDice.chance(30), let claim = lie() {
                more.append(Frames.encode(lyingResult(claim, message.session)))
            }
        case .liar: break
        }
        if isFaulty, plan.has(.garbage), handlerDice.chance(2) { more.append(garbage()) }
        return [Frames.encode(message)] + more
    }

    /// A lease that this worker never had, of an order that may be known.
    private func lie() -> Claim? {
        guard let errand = errands.isEmpty ? nil : handlerDice.pick(errands) else { return nil }
        return Claim.with {
            $0.lease = LeaseID(
                incarnation: UInt32(handlerDice.number(0...Int(assembler.store.incarnation) + 1)),
                number: UInt64(handlerDice.number(0...Int(auditor.youngestLease.number) + 3)))
            $0.order = handlerDice.chance(90) ? errand.submission.order.data : .init([1, 2, 3])
            $0.index = UInt32(handlerDice.number(0...errand.submission.items.count + 1))
            $0.started = handlerDice.chance(50)
        }
    }

    private func lyingResult(_ claim: Claim, _ session: UInt64) -> WorkerMessage {
        let result = ItemResult.with {
            $0.lease = claim.lease
            $0.order = claim.order
            $0.index = claim.index
            switch handlerDice.number(0...4) {
            case 0: $0.done = Nature.lie
            case 1:
                $0.failed.error.message = "a lie"
                $0.failed.permanent = handlerDice.chance(50)
            case 2: $0.returned.reason = .draining
            case 3: $0.returned.reason = .unsupported
            default: break
            }
        }
        auditor.lied(result)
        return WorkerMessage.with {
            $0.session = handlerDice.chance(80) ? session : session + 1
            $0.results.results = [result]
        }
    }

    /// Frames that are not of the contract.
    func garbage() -> [[UInt8]] {
        let bytes = handlerDice.bytes(handlerDice.number(0...40))
        return switch handlerDice.number(0...3) {
        case 0: [bytes]
        case 1: [Array("TRAY/1".utf8), bytes]
        case 2: [Array("TRAY/9".utf8), []]
        default: [Array("TRAY/1".utf8), []]
        }
    }
}
