import Foundation
import Service
import Wire

/// Reads the items of an order from the nodes of a document.
struct ItemReader {
    private static let payloadKeys = ["payload", "payload_file", "payload_base64"]
    private static let keys = ["name", "station"] + payloadKeys + ["timeout", "max_attempts"]

    /// Payload files are named relative to it.
    let directory: URL

    func items(from node: DocumentNode) throws(DocumentError) -> [NewItem] {
        let nodes = try node.sequence()
        guard nodes.count <= Limits.orderItemCountMax else {
            throw node.error(
                "\(nodes.count) items are more than an order may have: \(Limits.orderItemCountMax)")
        }
        var items: [NewItem] = []
        var byteCount = 0
        for node in nodes {
            let item = try item(from: node)
            byteCount += item.payload.data.count
            guard byteCount <= Limits.openBytesMax else {
                throw node.error(
                    "the payloads up to here are more than \(Limits.openBytesMax) bytes; no assembler holds more"
                )
            }
            items.append(item)
        }
        return items
    }

    private func item(from node: DocumentNode) throws(DocumentError) -> NewItem {
        let fields = try node.mapping(allowing: ItemReader.keys)
        return NewItem(
            name: try fields.read("name", Fields.name) ?? "",
            station: try Fields.station(try fields.required("station")),
            payload: try payload(from: fields),
            timeout: try fields.read("timeout", Fields.duration),
            attemptsMax: try fields.read("max_attempts", Fields.attempts))
    }

    /// No payload is an empty one.
    private func payload(from fields: DocumentMapping) throws(DocumentError) -> Content {
        let given = fields.entries.filter { ItemReader.payloadKeys.contains($0.key) }
        guard let field = given.first else { return Content() }
        guard given.count == 1 else {
            throw given[1].value.error("an item has one payload; \"\(field.key)\" is given already")
        }
        let content =
            switch field.key {
            case "payload": Content.json(try field.value.jsonText(bytesMax: Limits.contentBytesMax))
            case "payload_file": try file(named: field.value)
            default: try base64(field.value)
            }
        guard content.data.count <= Limits.contentBytesMax else {
            let limit = Limits.contentBytesMax
            throw field.value.error("\(content.data.count) bytes are more than a payload may have: \(limit)")
        }
        return content
    }

    private func file(named node: DocumentNode) throws(DocumentError) -> Content {
        let path = URL(filePath: try node.string(), relativeTo: directory).path
        do throws(DocumentError) {
            return .bytes(try FileBytes.read(path, bytesMax: Limits.contentBytesMax))
        } catch {
            let name = PlainText.beginning(of: error.file, scalarCountMax: 1_000)
            throw node.error("\(name): \(error.message)")
        }
    }

    private func base64(_ node: DocumentNode) throws(DocumentError) -> Content {
        guard let data = Data(base64Encoded: try node.string()) else {
            throw node.error(
                "this is not base 64: letters, digits, '+' and '/', padded with '=', no white space")
        }
        return .bytes(data)
    }
}
