import Testing

@testable import Service

@Suite("Settings")
struct SettingsTests {
    private let timeout = Setting.duration("drain_timeout", default: .seconds(30))
    private let orders = Setting.text("orders", default: "tcp://127.0.0.1:5570")
    private let capacity = Setting.count("capacity", in: 1...100, default: 4)
    private let insecure = Setting.toggle("insecure", default: false)
    private let keys = Setting.optionalText("keys")

    private func settings(
        flags: [String: String] = [:], environment: [String: String] = [:], file text: String? = nil
    ) throws -> Settings {
        var settings: Settings?
        try withTemporaryFolder { folder in
            if let text { try write(Array(text.utf8), to: "\(folder)/c.yaml") }
            settings = try Settings(
                keys: ["drain_timeout", "orders", "capacity", "insecure", "keys"], nestedKeys: ["stations"],
                flags: flags, defaultFile: "\(folder)/c.yaml", environment: environment)
        }
        return try #require(settings)
    }

    @Test("flag goes before environment before file before default")
    func precedence() throws {
        let file = "drain_timeout: 3s\ninsecure: true\ncapacity: 9\nstations: {grill: {capacity: 1}}\n"
        let all = try settings(
            flags: ["drain_timeout": "1s"], environment: ["TRAY_DRAIN_TIMEOUT": "2s", "TRAY_CAPACITY": "8"],
            file: file)
        #expect(try all.value(timeout) == .seconds(1))
        #expect(try all.value(capacity) == 8)
        #expect(try all.value(insecure))
        #expect(try all.value(orders) == "tcp://127.0.0.1:5570")
        #expect(try all.value(keys) == nil)
        #expect(try all.document?.root.mapping()["stations"]?.line == 4)
        #expect(
            try settings(environment: ["TRAY_DRAIN_TIMEOUT": "2s"], file: file).value(timeout) == .seconds(2))
        #expect(try settings(file: file).value(timeout) == .seconds(3))
        #expect(try settings().value(timeout) == .seconds(30))
    }

    @Test("an empty environment variable counts as not set")
    func emptyVariable() throws {
        let settings = try settings(
            environment: ["TRAY_DRAIN_TIMEOUT": "", "TRAY_CONFIG": ""], file: "drain_timeout: 3s\n")
        #expect(try settings.value(timeout) == .seconds(3))
    }

    @Test("a wrong value names the flag, the variable, or the file's line")
    func wrongValues() throws {
        let flag = try settings(flags: ["drain_timeout": "soon"])
        #expect(throws: Failure.self) { try flag.value(timeout) }
        #expect(
            complaint { _ = try flag.value(timeout) }
                == "--drain-timeout: \"soon\" is not \(DurationText.requirement)")
        let variable = try settings(environment: ["TRAY_CAPACITY": "101"])
        #expect(
            complaint { _ = try variable.value(capacity) }
                == "TRAY_CAPACITY: \"101\" is not a whole number from 1 to 100")
        let file = try settings(file: "orders: x\ninsecure: perhaps\n")
        #expect(
            complaint { _ = try file.value(insecure) }?.hasSuffix(
                "c.yaml:2: insecure: \"perhaps\" is not true or false") == true)
    }

    @Test("flags are usage (64), the rest configuration (78)")
    func statuses() throws {
        let flag = try settings(flags: ["capacity": "x"], environment: ["TRAY_INSECURE": "x"])
        #expect(flag.failure(at: "capacity", "").status == .usage)
        #expect(flag.failure(at: "insecure", "").status == .configuration)
        #expect(flag.failure(at: "orders", "no").description == "orders: no")
    }

    @Test("a key that nobody knows and a file that is missing are refused")
    func wrongFiles() throws {
        #expect(
            complaint { _ = try settings(file: "ordres: x\n") }?.hasSuffix(
                "c.yaml:1: unknown key \"ordres\"; did you mean \"orders\"?") == true)
        #expect(
            complaint { _ = try Settings(keys: [], file: "/nowhere/c.yaml", environment: [:]) }
                == "/nowhere/c.yaml: there is no such file")
        #expect(
            complaint { _ = try Settings(keys: [], environment: ["TRAY_CONFIG": "/nowhere/d.yaml"]) }
                == "/nowhere/d.yaml: there is no such file")
    }

    @Test("a file with nothing but comments sets nothing")
    func commentsOnly() throws {
        #expect(try settings(file: "# drain_timeout: 3s\n").value(timeout) == .seconds(30))
    }
}
