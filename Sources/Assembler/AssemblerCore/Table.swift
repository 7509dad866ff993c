/// Values by their keys, changed where they stand.
///
/// The steps of one message ask for the same key again and again: the latest one that was visited is found without its
/// hash. A value that is removed leaves its place to the next that comes.
struct Table<Key: Hashable, Value> {
    /// Of all keys, once they were too many to be looked through.
    private var positions: [Key: Int] = [:]
    private var isIndexed = false
    /// Behind the first place, which is nobody's: what is read of a key that is not there.
    private var places: [Value?] = [nil]
    /// Whose each place is, or was until it became free.
    private var keys: [Key] = []
    private var freePositions: [Int] = []
    private var latest: (key: Key, position: Int)?

    /// So many are looked through more quickly than one is hashed.
    private static var lookedThroughMax: Int { 16 }

    var count: Int { keys.count - freePositions.count }
    var isEmpty: Bool { count == 0 }

    /// In the order in which they came, for as long as none is removed.
    var elements: some Sequence<(key: Key, value: Value)> {
        zip(keys, places.dropFirst()).lazy.compactMap { key, value in value.map { (key, $0) } }
    }

    var values: some Sequence<Value> { places.lazy.compactMap { $0 } }

    /// Reads or changes a value without a copy of it: the quickest way to one.
    /// - Returns: `nil` where there is none.
    @inline(__always)
    mutating func visit<Answer>(_ key: Key, _ visit: (inout Value) -> Answer) -> Answer? {
        guard let position = find(key) else { return nil }
        return visit(&places[position]!)
    }

    /// Visits the value of a key that stood at `position` once, and probably does.
    @inline(__always)
    mutating func visit<Answer>(_ key: Key, near position: Int, _ visit: (inout Value) -> Answer) -> Answer? {
        guard let position = find(key, near: position) else { return nil }
        return visit(&places[position]!)
    }

    /// Where the value of a key stands until it is removed; 0 where there is none.
    func position(of key: Key) -> Int {
        if let latest, latest.key == key { return latest.position }
        return search(for: key) ?? 0
    }

    func contains(_ key: Key) -> Bool { position(of: key) != 0 }

    /// Appends to the array of `key`, which is made where there is none.
    mutating func append<Element>(_ element: consuming Element, at key: Key) where Value == [Element] {
        let position = find(key) ?? insert(roomy(), for: key)
        places[position]!.append(consume element)
    }

    /// An array that a few find room in before it grows.
    private func roomy<Element>() -> [Element] where Value == [Element] {
        var array: [Element] = []
        array.reserveCapacity(16)
        return array
    }

    /// Keeps the room.
    mutating func removeAll() {
        guard places.count > 1 else { return }
        places.removeSubrange(1...)
        keys.removeAll(keepingCapacity: true)
        freePositions.removeAll(keepingCapacity: true)
        positions.removeAll(keepingCapacity: true)
        isIndexed = false
        latest = nil
    }

    /// Setting `nil` removes.
    subscript(key: Key) -> Value? {
        _read { yield places[position(of: key)] }
        _modify {
            // No value lives across the yield: more than a few words would be allocated each time.
            let position = find(key) ?? takePlace(for: key)
            defer { if places[position] == nil { free(position) } }
            yield &places[position]
        }
    }

    /// Changes all values.
    mutating func forEach(_ change: (inout Value) -> Void) {
        for position in places.indices where places[position] != nil { change(&places[position]!) }
    }

    private mutating func find(_ key: Key) -> Int? {
        if let latest, latest.key == key { return latest.position }
        guard let position = search(for: key) else { return nil }
        latest = (key, position)
        return position
    }

    private func search(for key: Key) -> Int? {
        guard !isIndexed else { return positions[key] }
        return keys.indices.first { keys[$0] == key && places[$0 + 1] != nil }.map { $0 + 1 }
    }

    private mutating func find(_ key: Key, near position: Int) -> Int? {
        guard places.indices.contains(position), position > 0, keys[position - 1] == key,
            places[position] != nil
        else { return find(key) }
        latest = (key, position)
        return position
    }

    private mutating func insert(_ value: Value, for key: Key) -> Int {
        let position = takePlace(for: key)
        places[position] = value
        return position
    }

    /// A place for a key that has none. It is empty.
    private mutating func takePlace(for key: Key) -> Int {
        let position = freePositions.popLast() ?? places.count
        if position == places.count {
            places.append(nil)
            keys.append(key)
        } else {
            keys[position - 1] = key
        }
        if isIndexed {
            positions[key] = position
        } else if keys.count > Self.lookedThroughMax {
            index()
        }
        latest = (key, position)
        return position
    }

    /// They have become too many to be looked through. All places are taken: a new one is made only then.
    private mutating func index() {
        for position in keys.indices { positions[keys[position]] = position + 1 }
        isIndexed = true
    }

    private mutating func free(_ position: Int) {
        if isIndexed { positions[keys[position - 1]] = nil }
        freePositions.append(position)
        if latest?.position == position { latest = nil }
    }
}

extension Table: Sendable where Key: Sendable, Value: Sendable {}
