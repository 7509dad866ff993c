import Wire

/// One request and its answer.
///
///     queued ──ask──▶ asked ──answer──▶ over
///      ▲  ▲            │ │ └─page taken─▶ paging ──receipt──▶ over
///      │  └─link lost──┘ │                 │  │
///      │  └─link lost, or disagreement─────┘  │
///      └──due── postponed ◀──refused for now──┘
///
/// From everywhere it is over when its time is up, or when nobody waits for it any more.
struct Call: Equatable {
    private enum State: Equatable {
        /// Not on the wire: there is no session, or not yet. Can go to `asked`.
        case queued
        /// Can go to `queued`, `postponed`, and of submissions to `paging`.
        case asked(UInt64)
        /// Can go to `queued` and `postponed`.
        case paging(Paging)
        /// Refused for now. Can go to `queued`.
        case postponed
    }

    private let request: Request
    private let timeout: Duration?
    private var state = State.queued
    /// `nil`: the call takes as long as it takes.
    private(set) var deadline: Instant?
    /// How many items of a submission the assembler is known to have.
    private var takenCount = 0
    /// The last refusal for now: what the call fails with when its time is up.
    private(set) var refusalForNow: CallError?

    init(_ request: Request, timeout: Duration?, now: Instant) {
        self.request = request
        self.timeout = timeout
        deadline = timeout.map(now.advanced(by:))
    }

    /// The numbers under which answers are awaited.
    var requests: [UInt64] {
        switch state {
        case .queued, .postponed: []
        case .asked(let number): [number]
        case .paging(let paging): paging.requests
        }
    }

    /// The message that asks, if the call is queued.
    mutating func ask(pageItemCountMax: Int, numbers: inout RequestNumbers) -> ProducerMessage? {
        guard case .queued = state else { return nil }
        let number = numbers.next()
        state = .asked(number)
        return .with {
            $0.request = number
            $0.body = request.body(pageItemCountMax: pageItemCountMax)
        }
    }

    enum AnswerAction: Equatable {
        case finish(Result<OrdersMessage.OneOf_Body, CallError>)
        case send([ProducerMessage])
        /// The call is queued again.
        case ask
        /// The call waits for so long.
        case postpone(Duration, message: String)
    }

    /// One of the call's requests was answered.
    mutating func answer(
        _ number: UInt64, _ body: OrdersMessage.OneOf_Body?, pageItemCountMax: Int, now: Instant,
        numbers: inout RequestNumbers
    ) -> AnswerAction {
        guard let body else {
            return .finish(.failure(.malformed(message: "the assembler's answer has no body that we know")))
        }
        if request.isAnswered(by: body) { return .finish(.success(body)) }
        switch (request, body) {
        case (_, .refusal(let refusal)):
            return refuse(refusal, now: now)
        case (.submit(let submission), .pageTaken(let taken)):
            let taking = take(number, taken, of: submission, now: now)
            guard case .send = taking, case .paging(var paging) = state else { return taking }
            let pages = paging.send(submission, pageItemCountMax: pageItemCountMax, numbers: &numbers)
            state = .paging(paging)
            return .send(pages)
        default:
            return .finish(.failure(.otherAnswer))
        }
    }

    /// Notes what was taken of a submission.
    /// - Returns: `.send`, without the pages that follow, when the submission goes on.
    private mutating func take(
        _ number: UInt64, _ taken: PageTaken, of submission: Submission, now: Instant
    ) -> AnswerAction {
        guard let order = OrderID(taken.order) else { return .finish(.failure(.otherAnswer)) }
        let (nextIndex, itemCount) = (Int(taken.nextIndex), submission.items.count)
        var paging = Paging(order, from: nextIndex)
        if case .paging(let current) = state {
            paging = current
            guard order == paging.order else { return .finish(.failure(.otherAnswer)) }
            guard paging.taken(request: number, nextIndex: nextIndex) == .goOn else {
                state = .queued
                return .ask
            }
        }
        guard nextIndex <= itemCount, !paging.isExhausted(itemCount: itemCount) else {
            return .finish(
                .failure(
                    .malformed(
                        message: "\(nextIndex) of \(itemCount) items are taken, and there is no receipt")))
        }
        if nextIndex > takenCount {
            takenCount = nextIndex
            refusalForNow = nil
            deadline = timeout.map(now.advanced(by:))
        }
        state = .paging(paging)
        return .send([])
    }

    private mutating func refuse(_ refusal: Refusal, now: Instant) -> AnswerAction {
        if case .paging = state, refusal.reason == .notFound {
            // The assembler has given the half order up, as after a minute without a page: it begins anew.
            state = .queued
            return .ask
        }
        let error = CallError(refusal)
        guard refusal.isForNow else { return .finish(.failure(error)) }
        refusalForNow = error
        if let deadline, now.advanced(by: refusal.retryAfter) >= deadline { return .finish(.failure(error)) }
        state = .postponed
        return .postpone(refusal.retryAfter, message: refusal.message)
    }

    /// The connection is lost, and with it all answers that were awaited.
    mutating func loseLink() {
        switch state {
        case .queued, .postponed: break
        case .asked, .paging: state = .queued
        }
    }

    /// The pause after a refusal is over.
    mutating func resume() {
        guard case .postponed = state else { return }
        state = .queued
    }

    /// Whether the call's time is up.
    func hasExpired(now: Instant) -> Bool {
        guard let deadline else { return false }
        return now >= deadline
    }
}

extension CallError {
    fileprivate static let otherAnswer = malformed(
        message: "the assembler's answer is not one to what was asked")
}
