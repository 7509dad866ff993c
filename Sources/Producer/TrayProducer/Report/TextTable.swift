import Service

/// Rows in aligned columns, for people.
package struct TextTable {
    package enum Alignment { case left, right }

    package struct Column {
        package var title: String
        package var alignment: Alignment

        package init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    package private(set) var columns: [Column]
    private var rows: [[String]] = []

    package init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row with a cell for each column.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "\(cells.count) cells for \(columns.count) columns")
        rows.append(cells.map(Printable.line))
    }

    /// The lines, titles first where there are any; the last column is not padded.
    package var lines: [String] {
        let titles = columns.map(\.title)
        let widths = columns.indices.map { index in
            rows.reduce(titles[index].count) { max($0, $1[index].count) }
        }
        let heading = titles.allSatisfy(\.isEmpty) ? [] : [titles]
        return (heading + rows).map { line(of: $0, widths: widths) }
    }

    private func line(of cells: [String], widths: [Int]) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: widths[index] - cell.count)
            if index > 0 { line += "  " }
            switch columns[index].alignment {
            case .left: line += cell + padding
            case .right: line += padding + cell
            }
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}

/// Text of others, made fit for a terminal.
package enum Printable {
    /// `text` on one line, control characters replaced: names and messages of others move no cursor.
    package static func line(_ text: String) -> String {
        PlainText.line(text)
    }

    /// The first line of `text` that says something, cut to `width` characters.
    package static func firstLine(_ text: String, width: Int) -> String {
        let first = text.split(whereSeparator: \.isNewline).first { !$0.allSatisfy(\.isWhitespace) }
        return cut(line(first.map(String.init) ?? ""), to: width)
    }

    /// `text`, or its beginning and an ellipsis where it has more than `width` characters.
    package static func cut(_ text: String, to width: Int) -> String {
        guard text.count > max(1, width) else { return text }
        return text.prefix(max(1, width) - 1) + "…"
    }
}
