import AssemblerCore
import AssemblerStore
import Foundation
import GRDB
import Testing
import Wire

/// A folder for one test's store; gone with it.
final class Kitchen {
    let folder: String
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "tray-\(UUID().uuidString)")
        folder = url.path(percentEncoded: false)
        path = "\(folder)/data/tray.sqlite"
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }  // a leftover harms nobody

    /// The store, begun.
    func open() throws -> Store {
        let store = try Store.open(path: path)
        _ = try store.begin(at: Sample.now)
        return store
    }

    /// Runs SQL behind the store's back.
    func tamper(_ sql: String) throws {
        let connection = try DatabaseQueue(path: path)
        try connection.writeWithoutTransaction { try $0.execute(sql: sql) }
        try connection.close()
    }

    func rowCount(_ table: String) throws -> Int? {
        try DatabaseQueue(path: path).read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") }
    }

    /// Turns one bit over in the file, where `text` stands.
    func flip(_ text: String) throws {
        var data = try Data(contentsOf: URL(filePath: path))
        let place = try #require(data.range(of: Data(text.utf8)))
        data[place.lowerBound] ^= 1
        try data.write(to: URL(filePath: path))
    }

    var bytes: [UInt8] {
        get throws { Array(try Data(contentsOf: URL(filePath: path))) }
    }

    var journalPath: String { "\(path)-journal" }

    /// Lays a rollback journal beside the file, as SQLite begins one: of a change that did not get to change anything.
    /// - Parameter pageCount: how many pages the file had before.
    ///
    /// Source: https://www.sqlite.org/fileformat2.html#the_rollback_journal
    func writeJournal(ofPageCount pageCount: UInt8) throws {
        let header: [UInt8] =
            [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7] + [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, pageCount]
            + [0, 0, 2, 0, 0, 0, 0x10, 0]
        let sector = header + [UInt8](repeating: 0, count: 512 - header.count)
        try Data(sector).write(to: URL(filePath: journalPath))
    }
}

/// Orders to try things with.
enum Sample {
    static let now = WallTime(milliseconds: 1_790_000_000_000)

    static func id(_ number: UInt64) -> OrderID { OrderID(high: 0x0190_0000_0000_0000, low: number) }

    static func order(_ number: UInt64, itemCount: Int = 3, key: String = "") -> AcceptedOrder {
        let spec = OrderSpec.with {
            $0.name = "order-\(number)"
            $0.key = key
            $0.deadlineMs = 60_000
        }
        return AcceptedOrder(
            id: id(number), spec: spec, itemCount: itemCount,
            fingerprint: [1, 2, 3, 4, 5, 6, 7, UInt8(number & 255)],
            acceptedAt: now)
    }

    static func items(_ range: Range<Int>, byteCount: Int = 10) -> [Item] {
        range.map { index in
            Item.with {
                $0.name = "item-\(index)"
                $0.station = "grill"
                $0.payload.data = Data(repeating: UInt8(index & 255), count: byteCount)
                $0.timeoutMs = 5_000
            }
        }
    }

    /// Everything that accepts and seals an order.
    static func accept(
        _ number: UInt64, itemCount: Int = 3, key: String = "", pageItemCount: Int = 256, byteCount: Int = 10
    ) -> [Change] {
        let pages = stride(from: 0, to: itemCount, by: pageItemCount).map { first in
            let end = min(first + pageItemCount, itemCount)
            return Change.page(
                order: id(number), firstIndex: first, items: items(first..<end, byteCount: byteCount))
        }
        return [.accepted(order(number, itemCount: itemCount, key: key))] + pages + [
            .sealed(order: id(number))
        ]
    }

    static func outcome(
        _ landing: Int, index: Int, _ status: ItemStatus = .done, byteCount: Int = 8
    ) -> Outcome {
        Outcome.with {
            $0.landing = UInt32(landing)
            $0.index = UInt32(index)
            $0.status = status
            $0.attempts = 1
            $0.worker = "worker-1"
            $0.result.data = Data(repeating: UInt8(landing & 255), count: byteCount)
        }
    }

    static func settle(_ number: UInt64, _ outcomes: Outcome...) -> Change {
        .settled(order: id(number), outcomes: outcomes)
    }

    static func served(
        _ number: UInt64, _ status: OrderStatus = .complete, at: WallTime = now, done: Int = 3,
        failed: Int = 0
    ) -> Change {
        var counts = TrayCounts()
        (counts.done, counts.failed) = (done, failed)
        let record = ServedRecord(status: status, at: at, elapsed: .milliseconds(2_900), counts: counts)
        return .served(order: id(number), record)
    }

    /// An order of three items from its acceptance to its end.
    static func wholeLife(_ number: UInt64, at: WallTime = now) -> [Change] {
        accept(number) + [
            settle(number, outcome(1, index: 2)), settle(number, outcome(2, index: 0), outcome(3, index: 1)),
            served(number, at: at),
        ]
    }
}
