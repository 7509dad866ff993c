import Wire

// What workers say that no honest worker would.
extension World {
    /// Makes of a message what its worker's character makes of it.
    /// - Returns: a lie that goes out beside it.
    mutating func tamper(with message: inout WorkerMessage, by index: Int) -> WorkerMessage? {
        switch workers[index].character {
        case .honest, .failing: return nil
        case .speaking(let lowest, let highest):
            if case .hello = message.body {
                message.hello.versions.lowest = lowest
                message.hello.versions.highest = highest
            }
            return nil
        case .liar:
            guard isFaulty else { return nil }
            if case .hello = message.body {
                for _ in 0..<handlerDice.number(0...4) { claimFalsely(in: &message.hello) }
                return nil
            }
            guard handlerDice.chance(30), let claim = lie() else { return nil }
            return lyingResult(claim, message.session)
        }
    }

    private mutating func claimFalsely(in hello: inout WorkerHello) {
        // One lease is claimed once: of two claims to one, nobody can say which was answered.
        let claimed = (hello.running + hello.held).map(\.lease)
        guard let claim = lie(), !claimed.contains(claim.lease) else { return }
        if handlerDice.chance(50) {
            hello.running.append(claim)
        } else {
            hello.held.append(claim)
        }
    }

    /// A lease that this worker never had, of an order that may be known.
    private mutating func lie() -> Claim? {
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

    private mutating func lyingResult(_ claim: Claim, _ session: UInt64) -> WorkerMessage {
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
    mutating func garbage() -> [[UInt8]] {
        let bytes = handlerDice.bytes(handlerDice.number(0...40))
        return switch handlerDice.number(0...3) {
        case 0: [bytes]
        case 1: [Array("TRAY/1".utf8), bytes]
        case 2: [Array("TRAY/9".utf8), []]
        default: [Array("TRAY/1".utf8), []]
        }
    }
}
