import Service
import Wire

/// Named orders, and what holds at stations where an item does not say: a file that the producer alone reads.
/// docs/cli.md describes it.
public struct Menu {
    /// What an item of a station gets where it leaves it open.
    public struct StationDefaults: Equatable, Sendable {
        public var timeout: Duration?
        public var attemptsMax: Int?
    }

    public static let defaultFile = "config/menu.yaml"

    /// As errors name it.
    public let file: String
    public let stations: [String: StationDefaults]
    private let orders: [(name: String, node: DocumentNode)]

    /// Reads `file` and checks all of its orders.
    ///
    /// - Throws: `DocumentError`, which names line and field.
    public static func read(_ file: String) throws(DocumentError) -> Menu {
        let menu = try Menu(try Document.read(file: file))
        for order in menu.orders { _ = try menu.order(from: order) }
        return menu
    }

    package init(_ document: Document) throws(DocumentError) {
        let fields = try document.root.mapping(allowing: ["stations", "orders"])
        file = document.file
        stations = try fields.read("stations", Menu.stations) ?? [:]
        orders = try fields.read("orders", Menu.orders) ?? []
    }

    /// As they are written.
    public var orderNames: [String] { orders.map(\.name) }

    /// The order of this name, with an id of its own each time; `nil` where the menu has none.
    public func order(named name: String) throws(DocumentError) -> NewOrder? {
        guard let order = orders.first(where: { $0.name == name }) else { return nil }
        return try self.order(from: order)
    }

    /// `order`, with the defaults of its stations where its items leave something open.
    public func completing(_ order: NewOrder) -> NewOrder {
        var order = order
        for index in order.items.indices {
            guard let defaults = stations[order.items[index].station] else { continue }
            order.items[index].timeout = order.items[index].timeout ?? defaults.timeout
            order.items[index].attemptsMax = order.items[index].attemptsMax ?? defaults.attemptsMax
        }
        return order
    }

    private func order(from entry: (name: String, node: DocumentNode)) throws(DocumentError) -> NewOrder {
        completing(try OrderReader(besides: file).order(from: entry.node, name: entry.name))
    }

    private static func stations(_ node: DocumentNode) throws(DocumentError) -> [String: StationDefaults] {
        var stations: [String: StationDefaults] = [:]
        for entry in try node.mapping().entries {
            guard Label.isValid(entry.key) else { throw entry.value.error(Fields.stationError(entry.key)) }
            let fields = try entry.value.mapping(allowing: ["timeout", "max_attempts"])
            stations[entry.key] = StationDefaults(
                timeout: try fields.read("timeout", Fields.duration),
                attemptsMax: try fields.read("max_attempts", Fields.attempts))
        }
        return stations
    }

    private static func orders(_ node: DocumentNode) throws(DocumentError) -> [(
        name: String, node: DocumentNode
    )] {
        var orders: [(name: String, node: DocumentNode)] = []
        for entry in try node.mapping().entries {
            guard (1...Limits.nameBytesMax).contains(entry.key.utf8.count) else {
                throw entry.value.error("an order's name has 1 to \(Limits.nameBytesMax) bytes")
            }
            orders.append((entry.key, entry.value))
        }
        return orders
    }
}
