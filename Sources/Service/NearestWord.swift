/// The word that somebody meant who mistyped it.
public enum NearestWord {
    private static let lengthMax = 200

    /// The candidate that differs least from `word`, where it is near enough: a third of its letters, one at
    /// least.
    ///
    /// A swap of neighbours counts as one difference, case as none. Of equals the first is taken.
    public static func suggestion(for word: String, among candidates: [String]) -> String? {
        // Nobody meant a word of that length, and a comparison takes the product of both.
        guard word.utf8.count <= lengthMax else { return nil }
        let typed = Array(word.lowercased())
        let distances = candidates.map { distance(typed, Array($0.lowercased())) }
        guard let nearest = distances.indices.min(by: { distances[$0] < distances[$1] }) else { return nil }
        let limit = max(1, max(typed.count, candidates[nearest].count) / 3)
        return distances[nearest] <= limit ? candidates[nearest] : nil
    }

    /// Insertions, deletions, replacements and swaps of neighbours that make one word of the other.
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var best = min(last[column + 1], current[column]) + 1
                best = min(best, last[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
