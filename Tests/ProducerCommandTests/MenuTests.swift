import Testing
import TrayProducer

@Suite("Menus")
struct MenuTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test("orders are found by name, in the order in which they are written, each time with a new id")
    func orders() throws {
        let menu = try Menu.read(try scratch.file("orders: {b: {items: []}, a: {name: other, items: []}}"))
        #expect(menu.orderNames == ["b", "a"])
        let (first, second) = (try menu.order(named: "b"), try menu.order(named: "b"))
        #expect(first?.name == "b")
        #expect(first?.id != second?.id)
        #expect(try menu.order(named: "a")?.name == "other")
        #expect(try menu.order(named: "c") == nil)
    }

    @Test("a station's defaults fill what its items leave open, and nothing else")
    func stationDefaults() throws {
        let menu = try Menu.read(
            try scratch.file(
                """
                stations:
                  grill: {timeout: 5s, max_attempts: 7}
                orders:
                  mixed:
                    items:
                      - {station: grill}
                      - {station: grill, timeout: 1s, max_attempts: 1}
                      - {station: fryer}
                """))
        let items = try #require(try menu.order(named: "mixed")).items
        #expect(items.map(\.timeout) == [.seconds(5), .seconds(1), nil])
        #expect(items.map(\.attemptsMax) == [7, 1, nil])
    }

    @Test("an order from a file gets the menu's station defaults too")
    func fileWithMenu() throws {
        let menu = try Menu.read(try scratch.file("stations: {grill: {timeout: 5s}}", named: "menu.yaml"))
        let order = try OrderFile.read(try scratch.file("items: [{station: grill}]"), menu: menu)
        #expect(order.items[0].timeout == .seconds(5))
    }

    @Test(
        "a wrong menu is named with line and field, whichever of its orders is asked for",
        arguments: [
            ("order: {}", "menu.yaml:1: unknown key \"order\"; did you mean \"orders\"?"),
            ("stations: {a b: {}}", "menu.yaml:1: stations.a b: \"a b\" names no station"),
            ("stations: {a: {capacity: 3}}", "menu.yaml:1: stations.a: unknown key \"capacity\""),
            (
                "orders:\n  x:\n    items: [{station: ''}]",
                "menu.yaml:3: orders.x.items[0].station: \"\" names no"
            ),
        ])
    func complaints(text: String, complaint: String) throws {
        let file = try scratch.file(text, named: "menu.yaml")
        #expect(scratch.complaint { _ = try Menu.read(file) }.hasPrefix(complaint))
    }
}
