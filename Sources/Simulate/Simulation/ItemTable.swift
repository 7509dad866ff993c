import OrderedCollections
import Wire

/// An item of an order.
struct ItemRef: Hashable {
    let order: OrderID
    let index: Int

    var text: String { withText { String(decoding: $0, as: UTF8.self) } }

    /// The text's bytes, without a string for the whole: it is made for every result.
    func withText<Result>(_ use: (UnsafeRawBufferPointer) -> Result) -> Result {
        // Brackets, and 20 characters for the least of all numbers.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: OrderID.characterCount + 22) { text in
            order.write(to: text)
            var count = OrderID.characterCount
            func append(_ character: UInt8) {
                text[count] = character
                count += 1
            }
            append(UInt8(ascii: "["))
            if index < 0 { append(UInt8(ascii: "-")) }
            var power: UInt = 1
            while index.magnitude / power >= 10 { power *= 10 }
            while power > 0 {
                append(UInt8(ascii: "0") + UInt8(index.magnitude / power % 10))
                power /= 10
            }
            append(UInt8(ascii: "]"))
            return use(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<count]))
        }
    }
}

extension ItemRef {
    init?(_ lease: Lease) {
        guard let order = OrderID(lease.order) else { return nil }
        self.init(order: order, index: Int(lease.index))
    }
}

/// A value for each of some items: a row for each order, so that nothing is hashed for an item.
struct ItemTable<Value>: ~Copyable {
    private final class Row {
        /// By index, as far as any was set.
        var values: [Value?] = []
        /// Where no order has an item.
        var strays: [Int: Value] = [:]
        var count = 0
    }

    private var rows: OrderedDictionary<OrderID, Row> = [:]
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// How many items of the order have a value.
    func count(in order: OrderID) -> Int { rows[order]?.count ?? 0 }

    subscript(item: ItemRef) -> Value? {
        get {
            guard count > 0, let row = rows[item.order] else { return nil }
            return row.values.indices.contains(item.index) ? row.values[item.index] : row.strays[item.index]
        }
    }

    /// - Returns: the value that the item had.
    @discardableResult
    mutating func set(_ value: Value, for item: ItemRef) -> Value? {
        let row = row(for: item.order)
        let old: Value?
        if (0..<Limits.orderItemCountMax).contains(item.index) {
            while row.values.count <= item.index { row.values.append(nil) }
            old = row.values[item.index]
            row.values[item.index] = value
        } else {
            old = row.strays.updateValue(value, forKey: item.index)
        }
        if old == nil {
            row.count += 1
            count += 1
        }
        return old
    }

    mutating func remove(_ item: ItemRef) {
        guard count > 0, let row = rows[item.order] else { return }
        let old: Value?
        if row.values.indices.contains(item.index) {
            old = row.values[item.index]
            row.values[item.index] = nil
        } else {
            old = row.strays.removeValue(forKey: item.index)
        }
        if old != nil {
            row.count -= 1
            count -= 1
        }
    }

    mutating func removeAll() {
        rows = [:]
        count = 0
    }

    private mutating func row(for order: OrderID) -> Row {
        if let known = rows[order] { return known }
        let row = Row()
        rows[order] = row
        return row
    }
}

typealias ItemSet = ItemTable<Void>

extension ItemTable where Value == Void {
    func contains(_ item: ItemRef) -> Bool { self[item] != nil }

    mutating func insert(_ item: ItemRef) { set((), for: item) }
}
