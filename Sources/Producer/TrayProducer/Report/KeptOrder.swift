/// Puts items that land in any order back into the order in which they were submitted.
package struct KeptOrder {
    private var nextIndex = 0
    private var early: [Int: ReportItem] = [:]

    package init() {}

    /// The items whose turn has come with this one, ascending.
    package mutating func add(_ item: ReportItem) -> [ReportItem] {
        early[item.index] = item
        var due: [ReportItem] = []
        while let next = early.removeValue(forKey: nextIndex) {
            due.append(next)
            nextIndex += 1
        }
        return due
    }
}
