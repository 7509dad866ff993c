import Service
import Testing
import TrayWorker

@Suite("The stations of worker.yaml")
struct StationFileTests {
    @Test("stations are read in their order, with capacity, timeout and handler")
    func stations() throws {
        let stations = try read(
            """
            stations:
              grill: {handler: sleep, capacity: 10}
              digest:
                {handler: command, command: [echo, 1, "{payload}"], capacity: 2, timeout: 60s, output: json,
                 grace: 1s}
              echo: {handler: echo}
              fail: {handler: fail}
            """)
        #expect(stations.map(\.name) == ["grill", "digest", "echo", "fail"])
        #expect(stations.map(\.capacity) == [10, 2, 1, 1])
        #expect(stations.map(\.timeout) == [nil, .seconds(60), nil, nil])
        #expect(stations[0].handler is SleepHandler)
        #expect(stations[1].handler is CommandHandler)
    }

    @Test(
        "what is wrong is named with file, line and key",
        arguments: [
            (
                "stations:\n  grill: {handler: sleeep}",
                "worker.yaml:2: stations.grill.handler: no handler \"sleeep\"; "
                    + "known are command, echo, fail, sleep; did you mean \"sleep\"?"
            ),
            (
                "stations:\n  grill: {capacity: 1}",
                "worker.yaml:2: stations.grill: the key \"handler\" is missing"
            ),
            (
                "stations:\n  grill:\n    handler: sleep\n    capcity: 1",
                "worker.yaml:4: stations.grill: unknown key \"capcity\"; did you mean \"capacity\"?"
            ),
            (
                "stations:\n  grill: {handler: sleep, command: [ls]}",
                "worker.yaml:2: stations.grill: unknown key \"command\"; known are handler, capacity, timeout"
            ),
            (
                "stations:\n  grill: {handler: sleep, capacity: 0}",
                "worker.yaml:2: stations.grill.capacity: \"0\" is out of range; write 1 to 65536"
            ),
            (
                "stations:\n  grill: {handler: sleep, timeout: 0s}",
                "worker.yaml:2: stations.grill.timeout: no time at all; write 1ms or more"
            ),
            ("stations: {}", "worker.yaml:1: stations: 0 stations; write 1 to 1000"),
            ("{}", "worker.yaml:1: the key \"stations\" is missing"),
            (
                "stations:\n  a: {handler: echo, capacity: 65536}\n  b: {handler: echo}",
                "worker.yaml:2: stations: the capacities add up to 65537; a worker has at most 65536"
            ),
            (
                "stations:\n  'a b': {handler: echo}",
                "worker.yaml:2: stations.a b: \"a b\" is not a station's name: "
                    + "1 to 64 letters, digits, '.', '_' and '-'"
            ),
            (
                "stations:\n  digest: {handler: command, command: [no-such-program]}",
                "worker.yaml:2: stations.digest.command: "
                    + "no program \"no-such-program\" in PATH that can be run here"
            ),
            (
                "stations:\n  digest: {handler: command, command: [cat], output: xml}",
                "worker.yaml:2: stations.digest.output: no output \"xml\"; known are plain, json"
            ),
            (
                "stations:\n  digest: {handler: command}",
                "worker.yaml:2: stations.digest: the key \"command\" is missing"
            ),
        ])
    func wrong(text: String, message: String) throws {
        let failure = #expect(throws: Failure.self) { try read(text) }
        #expect(failure?.status == .configuration)
        #expect(failure?.message == message)
    }

    @Test("what is not served is checked all the same, but its programs need not be there")
    func unserved() throws {
        let text = """
            stations:
              grill: {handler: sleep}
              digest: {handler: command, command: [no-such-program], grace: 1s}
            """
        #expect(try read(text, serving: ["grill"]).map(\.name) == ["grill"])
        #expect(throws: Failure.self) { try read(text, serving: ["digest"]) }
        #expect(throws: Failure.self) {
            try read(text.replacing("grace: 1s", with: "grace: soon"), serving: ["grill"])
        }
        #expect(
            try StationFile.names(in: try Document.parse(text, file: "worker.yaml")) == ["grill", "digest"])
    }

    @Test("capacities add up where all stations are served; who chooses stations may choose those as well")
    func chosenCapacities() throws {
        let text = """
            stations:
              vast: {handler: echo, capacity: 65536}
              wide: {handler: echo, capacity: 65536}
            """
        #expect(throws: Failure.self) { try read(text) }
        #expect(try read(text, serving: ["vast", "wide"]).map(\.name) == ["vast", "wide"])
    }

    private func read(_ text: String, serving names: Set<String>? = nil) throws -> [Station] {
        try StationFile.stations(in: try Document.parse(text, file: "worker.yaml"), serving: names)
    }
}
