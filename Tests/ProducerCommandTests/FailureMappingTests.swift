import Service
import Testing
import TrayProducer
import Wire

@Suite("Exit codes")
struct FailureMappingTests {
    @Test(
        "each error of the producer has the design's exit code",
        arguments: [
            (
                ProducerError.noAnswer(endpoint: "tcp://127.0.0.1:1", timeout: .seconds(10)),
                ExitStatus.unreachable
            ),
            (.refused(message: "full", retryAfter: .seconds(1)), .refused),
            (.conflict("other content"), .invalidInput),
            (.invalid("items[3].station"), .invalidInput),
            (.notFound(OrderID(high: 0, low: 1)), .noSuchOrder),
            (.notAuthorised("no key"), .notAuthorised),
            (.unsupported("pages"), .unreachable),
            (.version(ours: Frames.versions, theirs: Frames.versions), .unreachable),
            (.connection(endpoint: "nonsense", reason: "invalid"), .unreachable),
            (.closed, .bug),
        ])
    func codes(error: ProducerError, status: Service.ExitStatus) {
        #expect(Failure(error).status == status)
    }

    @Test("no answer names the endpoint, a refusal says when to try again")
    func messages() {
        let silence = Failure(ProducerError.noAnswer(endpoint: "tcp://192.0.2.7:5570", timeout: .seconds(10)))
        #expect(silence.message.contains("tcp://192.0.2.7:5570"))
        let refusal = Failure(
            ProducerError.refused(message: "2000000 items are open", retryAfter: .seconds(5)))
        #expect(refusal.message.contains("2000000 items are open"))
        #expect(refusal.message.contains("try again after"))
    }
}
