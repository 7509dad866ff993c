import Testing

/// The house as it is, and every rule shown a house that breaks it: a rule that cannot fail proves nothing.
@Suite("The house")
struct HouseTests {
    let house: House

    init() throws { house = try House(root: House.root) }

    @Test("is where this test thinks it is")
    func isFound() {
        #expect(house.files.contains { $0.path == "Package.swift" })
        for room in Room.allCases {
            #expect(house.files.contains { Room(of: $0.path) == room }, "\(room.rawValue) is empty")
        }
    }

    @Test("no wing depends on another, and every room imports only what the design lets it")
    func wings() { #expect(Rule.foreignImports(in: house) == []) }

    @Test("cores import nothing but the contract and collections")
    func cores() { #expect(Rule.impureCores(in: house) == []) }

    @Test("every source stands in a room")
    func rooms() { #expect(Rule.homeless(in: house) == []) }

    @Test("a file is one sitting, a line fits the page")
    func sizes() {
        #expect(Rule.longFiles(in: house) == [])
        #expect(Rule.wideLines(in: house) == [])
    }

    @Test("nothing is forced, detached, or unchecked without a reason")
    func safety() {
        #expect(Rule.uses(of: Rule.forcedTry, in: house) == [])
        #expect(Rule.uses(of: Rule.detached, in: house) == [])
        #expect(Rule.unexplainedSendables(in: house) == [])
    }

    @Test("no socket of ours deals work blindly: PUSH and PULL are not there (FM-50)")
    func blindSockets() { #expect(Rule.blindSockets(in: house) == []) }

    @Test("nothing names a path of somebody's machine")
    func paths() { #expect(Rule.machinePaths(in: house) == []) }

    @Test("the package's description gives no target more than its room may import")
    func package() throws {
        let description = try PackageDescription(root: House.root)
        #expect(description.targets.count >= Room.allCases.count)
        #expect(Rule.foreignDependencies(in: description) == [])
    }
}

@Suite("A rule")
struct RuleTests {
    private func house(_ path: String, _ text: String) -> House {
        House(files: [House.File(path: path, text: text)])
    }

    @Test(
        "sees a wing that imports another",
        arguments: [
            ("Sources/Worker/worker/a.swift", "import TrayAssembler"),
            ("Sources/Worker/TrayWorker/a.swift", "@testable import AssemblerCore"),
            ("Sources/Producer/ProducerCore/a.swift", "public import struct WorkerCore.Step"),
            ("Sources/Wire/a.swift", "  import ZeroMQ"),
            ("Sources/ZeroMQ/a.swift", "import Wire"),
            ("Sources/Simulate/Simulation/a.swift", "import AssemblerStore"),
            ("Sources/Simulate/Simulation/a.swift", "import ZeroMQ"),
            ("Sources/Simulate/simulate/a.swift", "import TrayAssembler"),
        ])
    func foreignImport(path: String, text: String) {
        #expect(Rule.foreignImports(in: house(path, text)).count == 1)
    }

    @Test(
        "lets a wing import what is its own",
        arguments: ["import WorkerCore", "import Wire", "import Foundation"])
    func ownImport(text: String) {
        #expect(Rule.foreignImports(in: house("Sources/Worker/TrayWorker/a.swift", text)) == [])
    }

    @Test("sees a core that could do I/O", arguments: ["Foundation", "Glibc", "Dispatch", "ZeroMQ", "GRDB"])
    func impureCore(module: String) {
        let house = house("Sources/Assembler/AssemblerCore/a.swift", "import Wire\nimport \(module)")
        #expect(Rule.impureCores(in: house) == ["Sources/Assembler/AssemblerCore/a.swift imports \(module)"])
    }

    @Test(
        "sees a simulation that could do I/O or read a clock", arguments: ["Foundation", "Glibc", "Service"])
    func impureSimulation(module: String) {
        let house = house("Sources/Simulate/Simulation/a.swift", "import \(module)")
        #expect(Rule.impureCores(in: house).count == 1)
    }

    @Test("sees a source that stands in no room")
    func homeless() {
        #expect(Rule.homeless(in: house("Sources/Attic/a.swift", "")) == ["Sources/Attic/a.swift"])
    }

    @Test("sees a file and a line that are too long")
    func sizes() {
        let long = String(repeating: "\n", count: Rule.fileLinesMax)
        #expect(Rule.longFiles(in: house("Sources/Wire/a.swift", long)).count == 1)
        #expect(Rule.longFiles(in: house("Sources/Wire/a.pb.swift", long)) == [])
        let wide = String(repeating: "x", count: Rule.lineColumnsMax + 1)
        #expect(Rule.wideLines(in: house("Sources/Wire/a.swift", "\n" + wide)).count == 1)
    }

    @Test("sees a forced try in code, and lets a comment speak of it")
    func forcedTry() {
        #expect(
            Rule.uses(of: Rule.forcedTry, in: house("a.swift", "let a = \(Rule.forcedTry) b()")).count == 1)
        #expect(Rule.uses(of: Rule.forcedTry, in: house("a.swift", "a()  // no \(Rule.forcedTry)")) == [])
    }

    @Test("sees a socket that deals work blindly, and lets tests and comments have it (FM-50)")
    func blindSocket() {
        #expect(Rule.blindSockets(in: house("Sources/ZeroMQ/a.swift", "case .push: ZMQ_PUSH")).count == 1)
        #expect(Rule.blindSockets(in: house("Sources/ZeroMQ/a.swift", "// no ZMQ_PUSH")) == [])
        #expect(Rule.blindSockets(in: house("Tests/ZeroMQTests/a.swift", "ZMQ_PUSH")) == [])
    }

    @Test("sees an unchecked Sendable without its reason")
    func sendables() {
        let type = "final class Box: @unchecked" + " Sendable {"
        #expect(Rule.unexplainedSendables(in: house("a.swift", type)) == ["a.swift:1"])
        let explained = "/// A box.\n/// Safe because it is empty.\n@frozen\n\(type)"
        #expect(Rule.unexplainedSendables(in: house("a.swift", explained)) == [])
    }

    @Test("sees a path of a machine")
    func machinePaths() {
        let path = "/" + "home/ann/tray"
        #expect(Rule.machinePaths(in: house("docs/a.md", "see `\(path)`")) == ["docs/a.md:1"])
        #expect(Rule.machinePaths(in: house("docs/a.md", "see https://example.org/home/ann/")) == [])
    }

    @Test("sees a target of Package.swift that depends on another wing")
    func foreignDependency() {
        let description = PackageDescription(
            targets: [
                .init(
                    name: "worker", path: "Sources/Worker/worker",
                    dependencies: ["TrayWorker", "TrayAssembler"])
            ])
        #expect(Rule.foreignDependencies(in: description) == ["worker depends on TrayAssembler"])
    }
}
