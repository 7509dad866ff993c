/// Text of others, made fit for people: what a file, a peer or a command line says moves no cursor.
public enum PlainText {
    /// `text` on one line, control characters replaced.
    public static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "\u{FFFD}" : $0 }))
    }

    /// The beginning of `text`, as much as an error repeats of it: a character may have any number of scalars, so
    /// these are counted.
    public static func beginning(of text: some StringProtocol, scalarCountMax: Int = 60) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(scalarCountMax)))
    }

    /// C0, DEL, C1, what ends a line elsewhere, and what reverses the direction of writing.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
