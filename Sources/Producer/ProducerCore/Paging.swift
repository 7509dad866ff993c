import DequeModule
import Wire

/// The pages of one submission, on one connection, after its opening was taken.
///
/// Begins with the order and the index that the assembler named; ends with the receipt, or when the two disagree
/// about what was taken. Others may feed the same order meanwhile: what they brought is not sent again.
struct Paging: Equatable {
    private struct Page: Equatable {
        let request: UInt64
        let endIndex: Int
    }

    static let pagesInFlightMax = 4

    /// The one that is fed: for a known key maybe another than was asked for.
    let order: OrderID
    /// The first item that was not sent yet.
    private var nextIndex: Int
    private var inFlight: Deque<Page> = []

    init(_ order: OrderID, from nextIndex: Int) {
        self.order = order
        self.nextIndex = nextIndex
    }

    var requests: [UInt64] { inFlight.map(\.request) }

    /// The pages that may go out now.
    mutating func send(
        _ submission: Submission, pageItemCountMax: Int, numbers: inout RequestNumbers
    ) -> [ProducerMessage] {
        var messages: [ProducerMessage] = []
        while inFlight.count < Paging.pagesInFlightMax, nextIndex < submission.items.count {
            let range = submission.pageRange(from: nextIndex, itemCountMax: pageItemCountMax)
            let request = numbers.next()
            messages.append(
                .with {
                    $0.request = request
                    $0.page.order = order.data
                    $0.page.firstIndex = UInt32(range.lowerBound)
                    $0.page.items = Array(submission.items[range])
                })
            inFlight.append(Page(request: request, endIndex: range.upperBound))
            nextIndex = range.upperBound
        }
        return messages
    }

    enum TakenAction: Equatable { case goOn, disagree }

    /// A page was answered.
    /// - Returns: `.disagree` when the assembler lacks some of what it had taken: the submission opens again.
    mutating func taken(request: UInt64, nextIndex theirs: Int) -> TakenAction {
        guard let position = inFlight.firstIndex(where: { $0.request == request }) else {
            preconditionFailure("page \(request) is answered, but not in flight: \(inFlight)")
        }
        let page = inFlight.remove(at: position)
        guard theirs >= page.endIndex else { return .disagree }
        nextIndex = max(nextIndex, theirs)
        return .goOn
    }

    /// Nothing is out and nothing is left to send: only a receipt could have been the last answer.
    func isExhausted(itemCount: Int) -> Bool { inFlight.isEmpty && nextIndex >= itemCount }
}
