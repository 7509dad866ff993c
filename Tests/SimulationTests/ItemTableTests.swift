import Testing
import Wire

@testable import Simulation

@Suite("A value for each of some items")
struct ItemTableTests {
    private func item(_ order: UInt64, _ index: Int) -> ItemRef {
        ItemRef(order: OrderID(high: 1, low: order), index: index)
    }

    @Test("is found by its item alone, until it is removed")
    func found() {
        var table = ItemTable<String>()
        #expect(table.set("a", for: item(1, 4)) == nil)
        #expect(table.set("b", for: item(2, 4)) == nil)
        #expect(table.set("c", for: item(1, 4)) == "a")
        let values = [table[item(1, 4)], table[item(2, 4)], table[item(1, 3)], table[item(3, 4)]]
        #expect(values == ["c", "b", nil, nil])
        table.remove(item(1, 4))
        table.remove(item(1, 4))
        table.remove(item(3, 1))
        #expect(table[item(1, 4)] == nil)
        #expect(table[item(2, 4)] == "b")
    }

    @Test(
        "of its own kind has a text, whatever its index",
        arguments: [0, 9, 10, 99, 100, 1_234_567, .max, -1, .min])
    func text(index: Int) {
        #expect(item(1, index).text == "\(OrderID(high: 1, low: 1))[\(index)]")
    }

    @Test("is counted, in all and by order")
    func counted() {
        var set = ItemSet()
        for index in [0, 5, 5, 2] { set.insert(item(1, index)) }
        set.insert(item(2, 0))
        set.remove(item(1, 5))
        let counts = [
            set.count, set.count(in: OrderID(high: 1, low: 1)), set.count(in: OrderID(high: 1, low: 3)),
        ]
        #expect(counts == [3, 2, 0])
        set.removeAll()
        let isEmpty = set.isEmpty && !set.contains(item(2, 0))
        #expect(isEmpty)
    }

    @Test("takes no room for an index that no order has")
    func strays() {
        var table = ItemTable<Int>()
        for index in [Int(UInt32.max), -1] {
            table.set(index, for: item(1, index))
            let value = table[item(1, index)]
            #expect(value == index)
        }
        table.remove(item(1, -1))
        let (value, count) = (table[item(1, -1)], table.count)
        #expect(value == nil)
        #expect(count == 1)
    }
}
