import Glibc
import Testing

@testable import Service

@Suite("Signals")
struct SignalsTests {
    @Test("SIGTERM and SIGINT ask to stop, in their order, and SIGPIPE harms nobody")
    func signals() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let requests = await Signals.sequence()
            kill(getpid(), SIGPIPE)
            kill(getpid(), SIGTERM)
            var seen: [Signals.Request] = []
            for await request in requests {
                seen.append(request)
                if seen == [.terminate] { kill(getpid(), SIGINT) }
                if seen == [.terminate, .interrupt] { exit(7) }
            }
        }
    }
}
