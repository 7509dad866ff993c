import Crypto
import Foundation

/// The checksum of a row: the first 8 bytes of SHA-256 over its table, its key fields and its content.
///
/// With the key in it, a row that was moved to another place is found out too.
struct Checksum {
    private var hash = SHA256()

    init(_ table: String, _ order: Data) {
        add(Data(table.utf8))
        add(order)
    }

    /// Lengths go in too: the end of one field cannot pass for the beginning of the next.
    mutating func add(_ bytes: Data) {
        add(bytes.count)
        hash.update(data: bytes)
    }

    mutating func add(_ number: Int) {
        withUnsafeBytes(of: Int64(number).littleEndian) { hash.update(bufferPointer: $0) }
    }

    var bytes: Data { Data(hash.finalize().prefix(8)) }
}

extension Checksum {
    static func page(_ order: Data, firstIndex: Int, itemCount: Int, body: Data) -> Data {
        var checksum = Checksum("item_page", order)
        checksum.add(firstIndex)
        checksum.add(itemCount)
        checksum.add(body)
        return checksum.bytes
    }

    static func outcomes(_ order: Data, firstLanding: Int, count: Int, _ blob: Data, isHead: Bool) -> Data {
        var checksum = Checksum(isHead ? "outcome_batch.head" : "outcome_batch.body", order)
        checksum.add(firstLanding)
        checksum.add(count)
        checksum.add(blob)
        return checksum.bytes
    }
}
