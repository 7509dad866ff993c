import ArgumentParser
import Service
import TrayProducer
import Wire

struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "Lists the workers that are connected.",
        discussion: """
            EXAMPLES
              producer workers
              producer workers --json
            """)

    @Flag(help: "Print a JSON array.")
    var json = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection)
        let console = session.console
        try await session.withProducer { producer in
            let workers = try await producer.workers()
            try await console.write(.workers(workers), orJSON: json ? workers.map(\.json) : nil)
        }
    }
}

struct StationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stations",
        abstract: "Lists the stations: what waits, what runs, who serves them.",
        discussion: """
            EXAMPLES
              producer stations
              producer stations --json
            """)

    @Flag(help: "Print a JSON array.")
    var json = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection)
        let console = session.console
        try await session.withProducer { producer in
            let stations = try await producer.stations()
            try await console.write(.stations(stations), orJSON: json ? stations.map(\.json) : nil)
        }
    }
}

struct MenuCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "menu",
        abstract: "Lists the orders that the menu names; asks no assembler.",
        discussion: """
            EXAMPLES
              producer menu
              producer menu --menu other.yaml --json
            """)

    @Flag(help: "Print a JSON array.")
    var json = false

    @OptionGroup var menu: MenuOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection, menu: menu)
        let menu = try session.menu()
        let orders = try menu.orderNames.compactMap { name in
            try menu.order(named: name).map { MenuEntry(name: name, order: $0) }
        }
        try await session.console.write(.menu(orders), orJSON: json ? orders.map(\.json) : nil)
    }
}

struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping",
        abstract: "Asks the assembler whether it is there, and how far away.",
        discussion: """
            EXAMPLES
              producer ping
              producer ping --timeout 1s --orders tcp://192.0.2.7:5570
            """)

    @Flag(help: "Print one JSON value.")
    var json = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let session = try Session(connection)
        let console = session.console
        try await session.withProducer { producer in
            _ = try await producer.ping()  // Connects: the second one measures the way alone.
            let clock = ContinuousClock()
            let start = clock.now
            let pong = try await producer.ping()
            let roundTrip = clock.now - start
            let line =
                json
                ? pong.json(endpoint: producer.endpoint, roundTrip: roundTrip).text
                : pong.line(endpoint: producer.endpoint, roundTrip: roundTrip)
            try await console.write(line: line)
        }
    }
}

extension Console {
    /// A table for people, or a JSON array for programs.
    func write(_ table: TextTable, orJSON values: [JSONValue]?) throws(OutputError) {
        if let values { return try write(line: JSONValue.array(values).text) }
        for line in table.lines { try write(line: Printable.cut(line, to: reportWidth)) }
    }
}
