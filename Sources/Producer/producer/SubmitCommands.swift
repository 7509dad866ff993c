import ArgumentParser
import Service
import TrayProducer
import Wire

struct OrderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "order",
        abstract: "Submits named orders from the menu.",
        discussion: """
            Prints the id of each order, or with --wait the report of its tray.

            EXAMPLES
              producer order lunch-set
              producer order lunch-set --wait
              producer order lunch-set --wait --max-parallel 1
              producer order coffee --count 100 --wait --json
            """)

    @Argument(help: "Names of orders; 'producer menu' lists them.")
    var name: [String]

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How often each is ordered.", valueName: "n"), transform: Arguments.count)
    var count = 1

    @OptionGroup var submission: SubmissionOptions
    @OptionGroup var menu: MenuOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard submission.key == nil || count * name.count == 1 else {
            throw ValidationError("--key: a key is for one order; these are \(count * name.count)")
        }
        try submission.checkWaitLimit()
    }

    func run() async throws {
        let session = try Session(connection, menu: menu)
        let menu = try session.menu()
        let orders = try name.flatMap { name in
            try (0..<count).map { _ in submission.applied(to: try order(named: name, from: menu)) }
        }
        let submitting = Submission(console: session.console, options: submission)
        try await session.withProducer { try await submitting.run(orders, $0) }
    }

    private func order(named name: String, from menu: Menu) throws -> NewOrder {
        if let order = try menu.order(named: name) { return order }
        let hint =
            NearestWord.suggestion(for: name, among: menu.orderNames).map { "did you mean \"\($0)\"?" }
            ?? "'producer menu' lists what it has"
        throw Failure(.noSuchOrder, "\(menu.file): the menu has no order \"\(name)\"; \(hint)")
    }
}

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Submits an order written in YAML or JSON.",
        discussion: """
            Prints the order's id, or with --wait the report of its tray.

            EXAMPLES
              producer submit order.yaml --wait
              generate-order | producer submit - --wait --json
              producer submit order.yaml --key nightly-2026-11-22
            """)

    @Argument(
        help: "The order; '-' is standard input.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String

    @OptionGroup var submission: SubmissionOptions
    @OptionGroup var menu: MenuOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws { try submission.checkWaitLimit() }

    func run() async throws {
        let session = try Session(connection, menu: menu)
        let order = submission.applied(to: try OrderFile.read(file, menu: try session.menuIfAny()))
        let submitting = Submission(console: session.console, options: submission)
        try await session.withProducer { try await submitting.run([order], $0) }
    }
}

struct MapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Runs one item for each line of input, and prints results as they land.",
        discussion: """
            Every line is an item, empty ones too; its bytes without the line's end are the payload. Results \
            go to standard output as the handler wrote them, failures to standard error with the number of \
            their line.

            EXAMPLES
              find /usr/share/doc -type f | producer map --station digest
              producer map --station resize --keep-order files.txt > sizes.txt
              producer map --station fetch --max-parallel 20 urls.txt
            """)

    @Argument(help: "The lines; '-' is standard input.", completion: .file())
    var file = FileBytes.standardInput

    @Option(
        help: ArgumentHelp("Which kind of work the lines are.", valueName: "station"),
        transform: Arguments.station)
    var station: String

    @Flag(help: "Print results in the order of the lines.")
    var keepOrder = false

    @OptionGroup var submission: SubmissionOptions
    @OptionGroup var menu: MenuOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard !keepOrder || (!submission.follow && !submission.json) else {
            throw ValidationError(
                "--keep-order: not with --json, whose reports are in order, nor with --follow, which never is"
            )
        }
    }

    func run() async throws {
        let session = try Session(connection, menu: menu)
        let lines = try InputLines.read(file)
        let items = lines.map { NewItem(station: station, payload: .bytes($0)) }
        let order = submission.applied(to: NewOrder(name: "map \(station)", items: items))
        try await run(try session.menuIfAny()?.completing(order) ?? order, session)
    }

    private func run(_ order: NewOrder, _ session: Session) async throws {
        let console = session.console
        let submission = Submission(console: console, options: submission)
        let (landings, printsReport) = (self.landings(on: console), self.printsReport)
        try await session.withProducer { producer in
            let reports = try await submission.wait(for: [order], landings, producer)
            if printsReport { try await console.write(reports, asJSON: true) }
            try Ending.check(reports)
        }
    }

    private var printsReport: Bool { submission.json && !submission.follow }

    private func landings(on console: Console) -> Landings {
        if submission.follow { return .followed(on: console, asJSON: submission.json) }
        return submission.json ? .told(on: console) : .results(on: console, keepsOrder: keepOrder)
    }
}

extension SubmissionOptions {
    func checkWaitLimit() throws {
        guard waitLimit == nil || wait || follow else {
            throw ValidationError("--wait-limit: only with --wait or --follow")
        }
    }
}
