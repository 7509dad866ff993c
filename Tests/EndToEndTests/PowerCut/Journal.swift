import Foundation

/// What `Tests/PowerCut/journalfs.c` has written down: every change of a disk, and every sync, in order.
struct Journal {
    /// A file, whatever its names are.
    typealias FileNumber = UInt64

    enum Operation {
        case created(FileNumber, name: String)
        case written(FileNumber, offset: Int, ArraySlice<UInt8>)
        case truncated(FileNumber, byteCount: Int)
        case renamed(from: String, to: String)
        case unlinked(String)
        case folderMade(String)
        case folderRemoved(String)
        case linked(FileNumber, name: String)
        case synced(FileNumber)
        case folderSynced(String)

        var isSync: Bool {
            switch self {
            case .synced, .folderSynced: true
            case .created, .written, .truncated, .renamed, .unlinked, .folderMade, .folderRemoved, .linked:
                false
            }
        }
    }

    struct Entry {
        let operation: Operation
        /// Bytes of the journal up to here, this entry included.
        let end: Int
    }

    struct Unreadable: Error { let offset: Int }

    let entries: [Entry]

    init(entries: [Entry]) { self.entries = entries }

    /// Reads a journal that nobody writes to any more.
    init(contentsOf file: URL) throws {
        let bytes = Array(try Data(contentsOf: file))
        var entries: [Entry] = []
        var offset = 0
        while offset < bytes.count {
            guard let entry = Journal.entry(in: bytes, at: offset) else { throw Unreadable(offset: offset) }
            entries.append(entry)
            offset = entry.end
        }
        self.entries = entries
    }

    private static let headerByteCount = 32

    private static func entry(in bytes: [UInt8], at start: Int) -> Entry? {
        guard start + headerByteCount <= bytes.count else { return nil }
        func number(_ offset: Int, byteCount: Int) -> Int {
            bytes[start + offset..<start + offset + byteCount].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let nameEnd = start + headerByteCount + number(4, byteCount: 4)
        let otherEnd = nameEnd + number(8, byteCount: 4)
        let end = otherEnd + number(12, byteCount: 4)
        guard end <= bytes.count else { return nil }
        let name = String(decoding: bytes[start + headerByteCount..<nameEnd], as: UTF8.self)
        let other = String(decoding: bytes[nameEnd..<otherEnd], as: UTF8.self)
        let (file, place) = (FileNumber(number(16, byteCount: 8)), number(24, byteCount: 8))
        let operation: Operation? =
            switch number(0, byteCount: 4) {
            case 1: .created(file, name: name)
            case 2: .written(file, offset: place, bytes[otherEnd..<end])
            case 3: .truncated(file, byteCount: place)
            case 4: .renamed(from: name, to: other)
            case 5: .unlinked(name)
            case 6: .folderMade(name)
            case 7: .folderRemoved(name)
            case 8: .linked(file, name: name)
            case 9: .synced(file)
            case 10: .folderSynced(name)
            default: nil
            }
        return operation.map { Entry(operation: $0, end: end) }
    }
}
