import Testing
import ZeroMQ

@Suite("Endpoints")
struct EndpointTests {
    @Test(
        "what can be connected to",
        arguments: [
            "tcp://127.0.0.1:5570", "tcp://assembler:5570", "tcp://a-b.example_c.org:1", "tcp://[::1]:65535",
            "ipc:///run/tray/orders", "ipc://relative.sock",
        ])
    func right(endpoint: String) {
        #expect(Endpoint.problem(of: endpoint) == nil)
    }

    @Test(
        "what can be bound besides",
        arguments: ["tcp://*:5570", "tcp://*:*", "tcp://127.0.0.1:0", "tcp://eth0:5570"])
    func bindable(endpoint: String) {
        #expect(Endpoint.problem(of: endpoint, binding: true) == nil)
    }

    @Test(
        "what is wrong is named, with what is right",
        arguments: [
            ("", "'' is no endpoint; write tcp://HOST:PORT or ipc://PATH"),
            ("localhost:5570", "'localhost:5570' is no endpoint; write tcp://HOST:PORT or ipc://PATH"),
            ("http://a:1", "'http://a:1' is no endpoint; write tcp://HOST:PORT or ipc://PATH"),
            ("tcp://localhost", "'tcp://localhost' has no port; write tcp://HOST:PORT"),
            ("tcp://:5570", "'tcp://:5570': there is no host; write tcp://HOST:PORT"),
            ("tcp://a:0", "'tcp://a:0': the port is a number from 1 to 65535"),
            ("tcp://a:65536", "'tcp://a:65536': the port is a number from 1 to 65535"),
            ("tcp://a:x", "'tcp://a:x': the port is a number from 1 to 65535"),
            ("tcp://a:", "'tcp://a:': the port is a number from 1 to 65535"),
            ("tcp://*:5570", "'tcp://*:5570': * can be bound, not connected to; name the host"),
            (
                "tcp://::1:5570",
                "'tcp://::1:5570': '::1' is no host; write a name, an IPv4 address or an IPv6 address in brackets"
            ),
            ("ipc://", "'ipc://' has no path; write ipc://PATH"),
        ])
    func wrong(endpoint: String, problem: String) {
        #expect(Endpoint.problem(of: endpoint) == problem)
    }

    @Test("a path that a socket address cannot hold is refused")
    func longPath() {
        #expect(Endpoint.problem(of: "ipc://" + String(repeating: "p", count: 107)) == nil)
        #expect(Endpoint.problem(of: "ipc://" + String(repeating: "p", count: 108)) != nil)
    }
}
