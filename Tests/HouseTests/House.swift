import Foundation

/// The house as it stands in the repository: its sources, and what each imports.
struct House {
    /// One file, by its path from the repository's root.
    struct File {
        let path: String
        let lines: [Substring]

        init(path: String, text: String) {
            self.path = path
            lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        }

        var isGenerated: Bool { path.hasSuffix(".pb.swift") }

        /// The modules that the file imports.
        var imports: [String] {
            lines.filter { $0.contains("import ") }.compactMap { line in
                let statement = /^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:\w+\s+)?import\s+(.+)$/
                guard let match = line.firstMatch(of: statement) else { return nil }
                let path = match.1.split(separator: " ").last ?? ""
                return path.split(separator: ".").first.map(String.init)
            }
        }
    }

    let files: [File]

    /// Reads every Swift file, script and document below `root`.
    init(root: URL) throws {
        files = try House.names(below: root)
            .filter(House.isText)
            .sorted()
            .map { name in
                File(path: name, text: try String(contentsOf: root.appending(path: name), encoding: .utf8))
            }
    }

    /// Every file but those in hidden folders, where builds and repositories keep theirs.
    private static func names(below root: URL) -> [String] {
        guard let walk = FileManager.default.enumerator(atPath: root.path) else { return [] }
        var names: [String] = []
        while let name = walk.nextObject() as? String {
            if name.hasPrefix("."), !name.hasPrefix(".ci") { walk.skipDescendants() }
            if !isFolder(root.appending(path: name)) { names.append(name) }
        }
        return names
    }

    private static func isFolder(_ place: URL) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    init(files: [File]) { self.files = files }

    /// The repository that this test stands in.
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func isText(_ name: String) -> Bool {
        let endings = [".swift", ".c", ".h", ".md", ".proto", ".py", ".yaml", ".yml", ".sh", ".txt"]
        // What Python makes of its modules is no text.
        return endings.contains { name.hasSuffix($0) }
            || name.hasPrefix("scripts/") && !name.hasSuffix(".pyc")
            || ["Makefile", ".ci/run"].contains(name)
    }

    /// Our own Swift sources; not what a generator wrote.
    var swiftFiles: [File] { files.filter { $0.path.hasSuffix(".swift") && !$0.isGenerated } }
}

/// The targets of Package.swift, each with what it may import.
enum Room: String, CaseIterable {
    case zeroMQ = "Sources/ZeroMQ/"
    case wire = "Sources/Wire/"
    case service = "Sources/Service/"
    case producerCore = "Sources/Producer/ProducerCore/"
    case producerLibrary = "Sources/Producer/TrayProducer/"
    case producer = "Sources/Producer/producer/"
    case workerCore = "Sources/Worker/WorkerCore/"
    case guardian = "Sources/Worker/CGuardian/"
    case workerLibrary = "Sources/Worker/TrayWorker/"
    case worker = "Sources/Worker/worker/"
    case assemblerCore = "Sources/Assembler/AssemblerCore/"
    case assemblerStore = "Sources/Assembler/AssemblerStore/"
    case assemblerLibrary = "Sources/Assembler/TrayAssembler/"
    case assembler = "Sources/Assembler/assembler/"
    case simulation = "Sources/Simulate/Simulation/"
    case simulate = "Sources/Simulate/simulate/"

    /// The modules of this repository that the room may import.
    var mayImport: Set<String> {
        switch self {
        case .zeroMQ: ["CZeroMQ"]
        case .wire, .service, .guardian: []
        case .producerCore, .workerCore, .assemblerCore: ["Wire"]
        case .producerLibrary: ["ProducerCore", "Wire", "ZeroMQ", "Service"]
        case .producer: ["TrayProducer", "Wire", "ZeroMQ", "Service"]
        case .workerLibrary: ["CGuardian", "WorkerCore", "Wire", "ZeroMQ", "Service"]
        case .worker: ["TrayWorker", "Wire", "ZeroMQ", "Service"]
        case .assemblerStore: ["CSQLite", "AssemblerCore", "Wire"]
        case .assemblerLibrary: ["AssemblerCore", "AssemblerStore", "Wire", "ZeroMQ"]
        case .assembler: ["TrayAssembler", "AssemblerStore", "Wire", "ZeroMQ", "Service"]
        case .simulation: ["AssemblerCore", "WorkerCore", "ProducerCore", "Wire"]
        case .simulate: ["Simulation", "Wire"]
        }
    }

    /// A core does no I/O and reads no clock: it has nothing to import that could. A simulation is as pure, or
    /// a seed would not replay.
    var isCore: Bool { [.producerCore, .workerCore, .assemblerCore, .simulation].contains(self) }

    /// The modules of other wings, cores and libraries: every name that is ours.
    static let modules: Set<String> = [
        "CZeroMQ", "ZeroMQ", "Wire", "Service", "ProducerCore", "TrayProducer", "producer", "CGuardian",
        "WorkerCore", "TrayWorker", "worker", "CSQLite", "AssemblerCore", "AssemblerStore", "TrayAssembler",
        "assembler", "Harnesses", "Seeded",
        "Simulation", "simulate",
    ]

    static let collections: Set<String> = ["DequeModule", "HeapModule", "OrderedCollections"]

    /// The room that a source file stands in; `nil` for tests and the package's description.
    init?(of path: String) {
        guard let room = Room.allCases.first(where: { path.hasPrefix($0.rawValue) }) else { return nil }
        self = room
    }
}
