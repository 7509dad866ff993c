/// An order of the menu, as `producer menu` shows it.
package struct MenuEntry {
    package let name: String
    private let itemCount: Int
    /// In the order in which the items name them first.
    private let stations: [String]

    package init(name: String, order: NewOrder) {
        self.name = name
        itemCount = order.items.count
        stations = order.items.reduce(into: []) { if !$0.contains($1.station) { $0.append($1.station) } }
    }

    package var json: JSONValue {
        .object([
            ("name", .string(name)),
            ("items", .integer(itemCount)),
            ("stations", .array(stations.map(JSONValue.string))),
        ])
    }

    fileprivate var cells: [String] { [name, "\(itemCount)", stations.joined(separator: " ")] }
}

extension TextTable {
    package static func menu(_ entries: [MenuEntry]) -> TextTable {
        var table = TextTable([Column("ORDER"), Column("ITEMS", .right), Column("STATIONS")])
        for entry in entries { table.add(entry.cells) }
        return table
    }
}
