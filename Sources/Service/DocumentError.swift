/// What is wrong in a file, and where: `orders.yaml:12: items[2].timeout: "3 parsecs" is not a duration; …`.
public struct DocumentError: Error, Equatable, Sendable {
    /// As the user named it; `stdin` for standard input.
    public let file: String
    /// From 1; `nil` where the file as a whole is meant.
    public let line: Int?
    /// The field, such as `items[2].timeout`; empty for the document itself.
    public let path: String
    /// What is wrong and what would be right.
    public let message: String

    public init(file: String, line: Int?, path: String, message: String) {
        self.file = file
        self.line = line
        self.path = path
        self.message = message
    }
}

extension DocumentError: CustomStringConvertible {
    public var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return PlainText.line(path.isEmpty ? "\(place): \(message)" : "\(place): \(path): \(message)")
    }
}
