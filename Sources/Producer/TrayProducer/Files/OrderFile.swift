import Foundation
import Service
import Wire

/// An order written in YAML or JSON. docs/cli.md describes the file.
public enum OrderFile {
    /// Reads the order in `file` (`-`: standard input). Each reading draws an id of its own.
    ///
    /// - Parameter menu: Its stations say what holds for items that leave their timeout or attempts open.
    /// - Throws: `DocumentError`, which names line and field, for whatever the file says wrongly, and for a
    ///   payload file that cannot be read or is too large.
    public static func read(_ file: String, menu: Menu? = nil) throws(DocumentError) -> NewOrder {
        let order = try OrderReader(besides: file).order(from: try Document.read(file: file).root)
        return menu?.completing(order) ?? order
    }
}

/// Reads orders from the nodes of a document.
package struct OrderReader {
    private static let orderKeys = [
        "name", "key", "failure", "deadline", "enough", "max_parallel", "priority", "not_before", "items",
    ]

    private let items: ItemReader

    /// - Parameter file: Payload files are named relative to it.
    package init(besides file: String) {
        items = ItemReader(directory: URL(filePath: file).deletingLastPathComponent())
    }

    /// - Parameter name: What the order is called where it does not say so itself.
    package func order(from node: DocumentNode, name: String = "") throws(DocumentError) -> NewOrder {
        let fields = try node.mapping(allowing: OrderReader.orderKeys)
        var order = NewOrder(items: try items.items(from: try fields.required("items")))
        order.name = try fields.read("name", Fields.name) ?? name
        order.key = try fields.read("key", OrderReader.key) ?? ""
        order.failure = try fields.read("failure", FailureRuleText.read) ?? .isolate
        order.deadline = try fields.read("deadline", OrderReader.deadline) ?? .standard
        order.enough = try fields.read("enough", Fields.count)
        order.maxParallel = try fields.read("max_parallel", Fields.count)
        order.priority = try fields.read("priority", OrderReader.priority) ?? 0
        order.notBefore = try fields.read("not_before", OrderReader.time)
        if let enough = order.enough, enough > order.items.count, let field = fields["enough"] {
            throw field.error("\(enough) can never be reached: the order has \(order.items.count) items")
        }
        return order
    }

    private static func key(_ node: DocumentNode) throws(DocumentError) -> String {
        let key = try Fields.text(node, bytesMax: Limits.keyBytesMax)
        guard !key.isEmpty, !key.utf8.contains(0) else {
            throw node.error(
                "a key has 1 to \(Limits.keyBytesMax) bytes, none of them zero; leave it away for none")
        }
        return key
    }

    private static func deadline(_ node: DocumentNode) throws(DocumentError) -> NewOrder.Deadline {
        // What has no text is no duration either, and the last lines say so.
        if let text = try? node.text(), text == "none" { return .none }
        do {
            return .after(try Fields.duration(node))
        } catch {
            throw node.error("\(error.message); or write none")
        }
    }

    private static func priority(_ node: DocumentNode) throws(DocumentError) -> Int {
        try node.int(in: Limits.priorityRange)
    }

    private static func time(_ node: DocumentNode) throws(DocumentError) -> WallTime {
        let text = try node.text()
        let formats = [true, false].map { Date.ISO8601FormatStyle(includingFractionalSeconds: $0) }
        // A format that does not fit is no error while another one does.
        guard let date = formats.lazy.compactMap({ try? $0.parse(text) }).first,
            date.timeIntervalSince1970 > 0
        else {
            throw node.error(
                "\"\(PlainText.beginning(of: text))\" is not a time in ISO 8601, such as 2030-01-31T08:00:00Z"
            )
        }
        return WallTime(milliseconds: Int64((date.timeIntervalSince1970 * 1_000).rounded()))
    }
}
