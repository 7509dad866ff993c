/// Lines at the foot of a terminal that are drawn over and over in one place, while other lines pass above.
///
/// Pure: every call returns what is to be written. The terminal must be wide enough for each line: a line
/// that wraps would take two rows, and the next drawing would begin one row too low.
package struct LivePicture {
    private var lines: [String] = []

    package init() {}

    /// Draws `new` where the last picture stands. Nothing to write where it is the same picture.
    package mutating func replace(with new: [String]) -> String {
        guard new != lines else { return "" }
        let moved = home
        lines = new
        return moved + drawn
    }

    /// Writes `line` above the picture, where it stays.
    package mutating func print(_ line: String) -> String { home + line + "\n" + drawn }

    /// Takes the picture away.
    package mutating func erase() -> String {
        defer { lines = [] }
        return home
    }

    /// To the picture's first column and row, everything from there on erased.
    private var home: String { lines.isEmpty ? "" : "\u{1B}[\(lines.count)F\u{1B}[J" }

    private var drawn: String { lines.map { $0 + "\n" }.joined() }
}
