import Foundation

/// The write-ahead log beside a store's file, looked at before SQLite reads it.
///
/// SQLite takes the first frame whose checksum is wrong for the log's end, as a power cut leaves one. Where what
/// was synced has changed since, everything that was committed after it would be gone without a word. The two
/// can be told apart: a commit is synced before the next one begins, so a whole commit with a frame that follows it
/// proves that all before them were safe.
///
/// Source of offsets and checksums: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
struct LogFile {
    private let storePath: String
    private let descriptor: Int32
    private let pageByteCount: Int
    private let isBigEndian: Bool
    private let salts: ArraySlice<UInt8>
    private let headerChecksum: FrameChecksum

    private static let headerByteCount = 32
    private static let frameHeaderByteCount = 24

    /// What is wrong with the log of the store at `path`; `nil` where nothing is, or where there is none.
    ///
    /// Damage to the last commit is not seen: it looks like one that was never finished.
    /// - Throws: Where there is one that cannot be read: nobody knows what stands in it.
    static func damage(ofStore path: String) throws(StoreError) -> String? {
        let descriptor = open(StoreFiles.log(of: path), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw unreadable(path, systemCode: errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path, systemCode: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw unreadable(path, systemCode: EINVAL) }
        // SQLite syncs the header before it writes the first frame.
        guard status.st_size > headerByteCount else { return nil }
        guard let log = try LogFile(descriptor, storePath: path) else {
            return "the header of its log does not agree with its checksum"
        }
        return try log.damagedFrame().map { "frame \($0) of its log does not agree with its checksum" }
    }

    private static func unreadable(_ path: String, systemCode: Int32) -> StoreError {
        .inaccessible(
            path: path, detail: "its log, \(StoreFiles.log(of: path)): \(systemMessage(systemCode))")
    }

    private init?(_ descriptor: Int32, storePath: String) throws(StoreError) {
        guard let header = try LogFile.read(descriptor, at: 0, count: LogFile.headerByteCount, storePath)
        else { return nil }
        func number(_ offset: Int) -> UInt32 {
            header[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        let magic: UInt32 = 0x377f_0682
        guard number(0) | 1 == magic | 1, (512...65_536).contains(number(8)) else { return nil }
        (self.storePath, self.descriptor) = (storePath, descriptor)
        pageByteCount = Int(number(8))
        isBigEndian = number(0) & 1 == 1
        salts = header[16..<24]
        headerChecksum = FrameChecksum(storedIn: header[24..<32])
        guard FrameChecksum().adding(header[0..<24], isBigEndian: isBigEndian) == headerChecksum else {
            return nil
        }
    }

    /// The first frame that is not as it was written, from 1, where a later commit proves that it was.
    private func damagedFrame() throws(StoreError) -> Int? {
        var (previous, isAfterCommit, broken): (FrameChecksum, Bool, Int?) = (headerChecksum, false, nil)
        var index = 0
        while let frame = try frame(index) {
            // Frames with other salts are older than the header: the log was begun anew since.
            let follows =
                frame.salts == salts
                && frame.checksum(after: previous, isBigEndian: isBigEndian) == frame.stored
            if let broken, follows, isAfterCommit { return broken + 1 }
            if !follows && broken == nil { broken = index }
            (previous, isAfterCommit) = (frame.stored, follows && frame.isCommit)
            index += 1
        }
        return nil
    }

    private struct Frame {
        let bytes: [UInt8]

        var isCommit: Bool { bytes[4..<8].contains { $0 != 0 } }
        var salts: ArraySlice<UInt8> { bytes[8..<16] }
        var stored: FrameChecksum { FrameChecksum(storedIn: bytes[16..<24]) }

        func checksum(after previous: FrameChecksum, isBigEndian: Bool) -> FrameChecksum {
            previous.adding(bytes[0..<8], isBigEndian: isBigEndian)
                .adding(bytes[LogFile.frameHeaderByteCount...], isBigEndian: isBigEndian)
        }
    }

    private func frame(_ index: Int) throws(StoreError) -> Frame? {
        let byteCount = LogFile.frameHeaderByteCount + pageByteCount
        let offset = LogFile.headerByteCount + index * byteCount
        return try LogFile.read(descriptor, at: offset, count: byteCount, storePath).map { Frame(bytes: $0) }
    }

    /// - Returns: `nil` where the log ends before.
    private static func read(
        _ descriptor: Int32, at offset: Int, count: Int, _ storePath: String
    ) throws(StoreError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let readCount = pread(descriptor, &bytes, count, off_t(offset))
        guard readCount >= 0 else { throw unreadable(storePath, systemCode: errno) }
        return readCount == count ? bytes : nil
    }
}

/// SQLite's checksum over everything in a log up to some place.
private struct FrameChecksum: Equatable {
    private var first: UInt32 = 0
    private var second: UInt32 = 0

    init() {}

    init(storedIn bytes: ArraySlice<UInt8>) {
        first = bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        second = bytes.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// - Parameter bytes: a multiple of 8.
    func adding(_ bytes: ArraySlice<UInt8>, isBigEndian: Bool) -> FrameChecksum {
        var sum = self
        bytes.withUnsafeBytes { buffer in
            func word(_ offset: Int) -> UInt32 {
                let word = buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                return isBigEndian ? UInt32(bigEndian: word) : UInt32(littleEndian: word)
            }
            for offset in stride(from: 0, to: buffer.count, by: 8) {
                sum.first &+= word(offset) &+ sum.second
                sum.second &+= word(offset + 4) &+ sum.first
            }
        }
        return sum
    }
}
