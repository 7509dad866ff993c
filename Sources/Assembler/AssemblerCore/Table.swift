/// Values by their keys, changed where they stand.
///
/// The steps of one message ask for the same key again and again: the latest one that was changed or sought is found
/// without its hash. A value that is removed leaves its place to the next that comes.
struct Table<Key: Hashable, Value> {
    private var positions: [Key: Int] = [:]
    private var keys: [Key] = []
    private var places: [Value?] = []
    private var freePositions: [Int] = []
    private var latest = 0

    var count: Int { places.count - freePositions.count }
    var isEmpty: Bool { count == 0 }

    /// In the order in which they came, for as long as none is removed.
    var elements: some Sequence<(key: Key, value: Value)> {
        zip(keys, places).lazy.compactMap { key, value in value.map { (key, $0) } }
    }

    var values: some Sequence<Value> { places.lazy.compactMap { $0 } }

    /// Reads where the value stands, without a copy of it.
    mutating func look<Answer>(at key: Key, _ ask: (inout Value) -> Answer) -> Answer? {
        guard let position = find(key) else { return nil }
        return ask(&places[position]!)
    }

    /// Setting `nil` removes.
    subscript(key: Key) -> Value? {
        _read {
            if isLatest(key) {
                yield places[latest]
            } else if let position = positions[key] {
                yield places[position]
            } else {
                yield nil
            }
        }
        _modify {
            if let position = find(key) {
                yield &places[position]
                if places[position] == nil { free(position, of: key) }
            } else {
                var value: Value?
                yield &value
                if let value { insert(value, for: key) }
            }
        }
    }

    subscript(key: Key, default fallback: @autoclosure () -> Value) -> Value {
        _read { yield self[key] ?? fallback() }
        _modify {
            let position = find(key) ?? insert(fallback(), for: key)
            // Not empty: it was found, or made.
            yield &places[position]!
        }
    }

    /// Changes all values.
    mutating func forEach(_ change: (inout Value) -> Void) {
        for position in places.indices where places[position] != nil { change(&places[position]!) }
    }

    private func isLatest(_ key: Key) -> Bool {
        latest < keys.count && keys[latest] == key && places[latest] != nil
    }

    private mutating func find(_ key: Key) -> Int? {
        if isLatest(key) { return latest }
        guard let position = positions[key] else { return nil }
        latest = position
        return position
    }

    @discardableResult
    private mutating func insert(_ value: Value, for key: Key) -> Int {
        if let position = freePositions.popLast() {
            keys[position] = key
            places[position] = value
            latest = position
        } else {
            latest = keys.count
            keys.append(key)
            places.append(value)
        }
        positions[key] = latest
        return latest
    }

    private mutating func free(_ position: Int, of key: Key) {
        positions[key] = nil
        freePositions.append(position)
    }
}

extension Table: Sendable where Key: Sendable, Value: Sendable {}
