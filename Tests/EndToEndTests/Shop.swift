import Foundation
import Glibc
import Synchronization
import Testing

/// An assembler, workers and producers of one test: real executables, ports and a store of their own.
final class Shop {
    let folder: URL
    /// What every process is told. A test may change it before it starts one.
    var environment: [String: String]
    private(set) var processes: [Running] = []
    private var startCount = 0

    private init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tray-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let inherited = ProcessInfo.processInfo.environment
        environment = [
            "PATH": inherited["PATH"] ?? "/usr/bin:/bin",
            "HOME": folder.path,
            "TRAY_ORDERS": "tcp://127.0.0.1:\(try Ports.free())",
            "TRAY_KITCHEN": "tcp://127.0.0.1:\(try Ports.free())",
            "TRAY_EVENTS": "tcp://127.0.0.1:\(try Ports.free())",
            "TRAY_STORE": folder.appending(path: "tray.sqlite").path,
            "TRAY_MENU": Place.repository.appending(path: "config/menu.yaml").path,
        ]
        // What `scripts/sanitize` tells every process.
        for name in ["ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_PRELOAD"] {
            environment[name] = inherited[name]
        }
        try write("worker.yaml", Shop.stations)
    }

    /// Opens a shop for `body`, and ends every process of it whatever happens.
    ///
    /// Where the test failed, what the processes said is printed.
    static func open(_ body: (Shop) async throws -> Void) async throws {
        let shop = try Shop()
        do {
            try await body(shop)
        } catch {
            shop.close(telling: true)
            throw error
        }
        shop.close(telling: false)
    }

    /// Every station that the tests use, by the handlers of the worker.
    private static let stations = """
        stations:
          grill:  {handler: sleep, capacity: 100}
          fryer:  {handler: sleep, capacity: 100}
          drinks: {handler: sleep, capacity: 100}
          echo:   {handler: echo, capacity: 100}
          fail:   {handler: fail, capacity: 100}
          digest: {handler: command, command: [sha256sum, "{payload}"], capacity: 2, timeout: 60s}
          log:    {handler: command, command: [sh, -c, 'cat >> ran; echo >> ran'], capacity: 100}
        """

    // MARK: - Processes

    /// Starts an assembler and waits until it answers.
    @discardableResult
    func startAssembler() async throws -> Running {
        let assembler = try start("assembler")
        try await waitForAssembler(assembler)
        return assembler
    }

    func waitForAssembler(_ assembler: Running) async throws {
        try await eventually("the assembler's answer") {
            if let ending = assembler.hasEnded { throw EndedEarly(name: assembler.name, ending: ending) }
            return try await ping()
        }
    }

    struct EndedEarly: Error {
        let name: String
        let ending: Running.Ending
    }

    /// Starts workers of these names, and waits until the assembler knows as many.
    @discardableResult
    func startWorkers(_ names: String...) async throws -> [String: Running] {
        let workers = try names.map { ($0, try startWorker($0)) }
        try await waitForWorkers(count: processes.count { $0.name.hasPrefix("worker") && $0.hasEnded == nil })
        return Dictionary(uniqueKeysWithValues: workers)
    }

    @discardableResult
    func startWorker(_ name: String) throws -> Running {
        try start("worker", "--config", "worker.yaml", "--name", name)
    }

    func waitForWorkers(count: Int) async throws {
        try await eventually("\(count) workers") {
            let pong = try await produce("ping", "--json")
            return try pong.ending == .exit(0) && (pong.object()["workers"] as? Int) == count ? true : nil
        }
    }

    /// Starts one of Tray's executables; the shop ends it.
    @discardableResult
    func start(_ executable: String, _ arguments: String..., input: String? = nil) throws -> Running {
        try start(executable, arguments, input: input)
    }

    func start(_ executable: String, _ arguments: [String], input: String? = nil) throws -> Running {
        try start(executable, at: Place.executables.appending(path: executable), arguments, input: input)
    }

    func start(_ name: String, at executable: URL, _ arguments: [String], input: String? = nil) throws
        -> Running
    {
        startCount += 1
        let process = try Running(
            "\(name)-\(startCount)", executable, arguments, in: folder, environment: environment,
            input: try input.map { try write("input-\(startCount)", $0) })
        processes.append(process)
        return process
    }

    /// Runs a producer to its end.
    func produce(_ arguments: String..., input: String? = nil) async throws -> Finished {
        try await finish(try start("producer", arguments, input: input))
    }

    func finish(_ process: Running, within limit: Duration = .seconds(60)) async throws -> Finished {
        let ending = try await process.end(within: limit)
        return Finished(ending: ending, output: process.outputText, errors: process.errorText)
    }

    /// `nil` where no assembler answers.
    func ping() async throws -> Bool? {
        try await produce("ping", "--timeout", "1s").ending == .exit(0) ? true : nil
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> URL {
        let file = folder.appending(path: name)
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file
    }

    private func close(telling: Bool) {
        for process in processes where process.hasEnded == nil {
            process.send(SIGKILL)
            while process.hasEnded == nil { usleep(1_000) }
        }
        if telling {
            for process in processes {
                let said = (process.errorText + process.outputText).suffix(2_000)
                print("── \(process.name): \(process.hasEnded.map { "\($0)" } ?? "")\n\(said)")
            }
        }
        try? FileManager.default.removeItem(at: folder)  // best effort: it lies in the temporary folder
    }
}

/// A command that ran to its end.
struct Finished {
    let ending: Running.Ending
    let output: String
    let errors: String

    /// The one JSON object on standard output.
    func object() throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
    }

    func report() throws -> Report { try JSONDecoder().decode(Report.self, from: Data(output.utf8)) }

    /// The only line of standard output.
    var line: String { output.trimmingCharacters(in: .newlines) }
}

/// What a script outside this repository reads of an order.
struct Report: Decodable {
    struct Item: Decodable {
        let index: Int
        let name: String?
        let station: String
        let status: String
        let attempts: Int
        let worker: String?
        let result: Result?
        let error: ItemError?
        let finishedAt: String?

        enum CodingKeys: String, CodingKey {
            case index, name, station, status, attempts, worker, result, error
            case finishedAt = "finished_at"
        }
    }

    /// Text, or the JSON value of a handler that says so.
    struct Result: Decodable {
        /// `nil` where it is no JSON string.
        let text: String?

        init(from decoder: any Decoder) throws {
            text = try? decoder.singleValueContainer().decode(String.self)  // what else it is, no test asks
        }
    }

    struct ItemError: Decodable, Equatable {
        let kind: String
        let message: String
    }

    let order: String
    let status: String
    let elapsedSeconds: Double
    let counts: [String: Int]
    let items: [Item]

    enum CodingKeys: String, CodingKey {
        case order, status, counts, items
        case elapsedSeconds = "elapsed_seconds"
    }
}

enum Place {
    static let repository = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Beside the tests that run, or where `TRAY_BIN` says.
    static let executables =
        ProcessInfo.processInfo.environment["TRAY_BIN"].map { URL(filePath: $0) }
        ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
}

/// TCP ports of loopback for servers that start, die and start again.
///
/// None is of the range that the system takes the ports of outgoing connections from: what is free there now may
/// be a connection's own port at the moment at which the server binds it. No two shops of a run get the same one.
/// Where the system leaves none out, there is nothing better than one that is free now.
private enum Ports {
    private static let all = 10_000..<upperBound
    private static let next = Mutex(Int.random(in: all))

    private static var upperBound: Int {
        let range = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
        let first = range?.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 0
        return first > 11_000 ? first : 32_768
    }

    /// A port that nobody has at this moment.
    static func free() throws -> Int {
        for _ in all {
            let port = next.withLock { next in
                defer { next = next + 1 == all.upperBound ? all.lowerBound : next + 1 }
                return next
            }
            if isFree(port) { return port }
        }
        return try #require(nil, "no port of \(all) is free")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        // As libzmq does: a port whose last connections are still dying is free.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
