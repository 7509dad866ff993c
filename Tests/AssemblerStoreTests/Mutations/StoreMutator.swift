import Foundation

/// A store's files, as bytes.
struct StoreBytes: Equatable {
    var file: [UInt8]
    /// Empty where there is none.
    var log: [UInt8]

    init(path: String) throws {
        file = Array(try Data(contentsOf: URL(filePath: path)))
        log = FileManager.default.contents(atPath: "\(path)-wal").map { Array($0) } ?? []
    }

    func write(to path: String) throws {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
        try Data(file).write(to: URL(filePath: path))
        if !log.isEmpty { try Data(log).write(to: URL(filePath: "\(path)-wal")) }
    }
}

/// Damages the files of a store where it matters: in headers, in the trees of pages, in records, in the log.
///
/// Source of the offsets: the SQLite file format, https://www.sqlite.org/fileformat2.html
struct StoreMutator<Generator: RandomNumberGenerator> {
    var generator: Generator

    enum Kind: CaseIterable {
        case bits, bytes, sector, page, pagesSwapped, truncation, growth, header, tree, record, freeSpace
        case logBits, logSector, logTruncation, logFrame, logHeader, logContent
    }

    static var pageByteCount: Int { 4_096 }
    private static var logHeaderByteCount: Int { 32 }
    private static var frameByteCount: Int { 24 + pageByteCount }

    /// One to three damages.
    mutating func mutate(_ bytes: inout StoreBytes) {
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let kind = Kind.allCases.randomElement(using: &generator) ?? .bits
            apply(kind, to: &bytes)
        }
    }

    mutating func apply(_ kind: Kind, to bytes: inout StoreBytes) {
        switch kind {
        case .bits: flipBits(&bytes.file)
        case .bytes: overwrite(&bytes.file, count: below(16) + 1)
        case .sector: clearOrScramble(&bytes.file, byteCount: 512)
        case .page: clearOrScramble(&bytes.file, byteCount: Self.pageByteCount)
        case .pagesSwapped: swapPages(&bytes.file)
        case .truncation: bytes.file.removeLast(below(bytes.file.count + 1))
        case .growth: bytes.file += repeatElement(byte(), count: below(3 * Self.pageByteCount))
        case .header: overwriteHeader(&bytes.file, byteCount: 100)
        case .tree: changeTree(&bytes.file)
        case .record: changeRecord(&bytes.file)
        case .freeSpace: changeCellPointers(&bytes.file)
        case .logBits: flipBits(&bytes.log)
        case .logSector: clearOrScramble(&bytes.log, byteCount: 512)
        case .logTruncation: bytes.log.removeLast(below(bytes.log.count + 1))
        case .logFrame: swapFrames(&bytes.log)
        case .logHeader: overwriteHeader(&bytes.log, byteCount: 56)
        case .logContent: changeLogContent(&bytes.log)
        }
    }

    private mutating func below(_ count: Int) -> Int {
        count > 0 ? Int.random(in: 0..<count, using: &generator) : 0
    }

    private mutating func byte() -> UInt8 {
        // Ends of ranges, and what stands for "nothing" and "constant" in a record.
        [0, 1, 8, 9, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &generator)][below(8)]
    }

    private mutating func flipBits(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        for _ in 0...below(8) { bytes[below(bytes.count)] ^= 1 << UInt8(below(8)) }
    }

    private mutating func overwrite(_ bytes: inout [UInt8], count: Int) {
        guard !bytes.isEmpty else { return }
        let start = below(bytes.count)
        for offset in start..<min(start + count, bytes.count) { bytes[offset] = byte() }
    }

    private mutating func overwriteHeader(_ bytes: inout [UInt8], byteCount: Int) {
        guard !bytes.isEmpty else { return }
        for _ in 0...below(4) { bytes[below(min(byteCount, bytes.count))] = byte() }
    }

    private mutating func clearOrScramble(_ bytes: inout [UInt8], byteCount: Int) {
        guard !bytes.isEmpty else { return }
        let start = below(bytes.count / byteCount + 1) * byteCount
        let isCleared = Bool.random(using: &generator)
        for offset in start..<max(start, min(start + byteCount, bytes.count)) {
            bytes[offset] = isCleared ? 0 : UInt8.random(in: 0...255, using: &generator)
        }
    }

    private mutating func swapPages(_ bytes: inout [UInt8]) {
        let count = bytes.count / Self.pageByteCount
        guard count > 1 else { return }
        swapBlocks(
            &bytes, below(count) * Self.pageByteCount, below(count) * Self.pageByteCount, Self.pageByteCount)
    }

    private mutating func swapFrames(_ bytes: inout [UInt8]) {
        let count = (bytes.count - Self.logHeaderByteCount) / Self.frameByteCount
        guard count > 1 else { return }
        let places = (0..<2).map { _ in Self.logHeaderByteCount + below(count) * Self.frameByteCount }
        swapBlocks(&bytes, places[0], places[1], Self.frameByteCount)
    }

    /// Swaps two blocks, or copies one over the other.
    private mutating func swapBlocks(_ bytes: inout [UInt8], _ first: Int, _ second: Int, _ byteCount: Int) {
        let isSwap = Bool.random(using: &generator)
        for offset in 0..<byteCount {
            let kept = bytes[first + offset]
            bytes[first + offset] = bytes[second + offset]
            if isSwap { bytes[second + offset] = kept }
        }
    }

    /// The header of a page: its kind, its cells, where they begin, its right child.
    private mutating func changeTree(_ bytes: inout [UInt8]) {
        guard let start = treeStart(bytes) else { return }
        for _ in 0...below(3) { bytes[start + below(12)] = byte() }
    }

    private mutating func changeCellPointers(_ bytes: inout [UInt8]) {
        guard let start = treeStart(bytes) else { return }
        let cellCount = Int(bytes[start + 3]) << 8 | Int(bytes[start + 4])
        guard cellCount > 0, cellCount < 1_000 else { return }
        for _ in 0...below(2) { bytes[start + 8 + below(2 * cellCount)] = byte() }
    }

    /// The first bytes of a cell: its length, its row number, the types of its columns.
    private mutating func changeRecord(_ bytes: inout [UInt8]) {
        guard let start = treeStart(bytes) else { return }
        let page = start / Self.pageByteCount * Self.pageByteCount
        let cellCount = Int(bytes[start + 3]) << 8 | Int(bytes[start + 4])
        guard cellCount > 0, cellCount < 1_000 else { return }
        let pointer = start + 8 + 2 * below(cellCount)
        let cell = page + (Int(bytes[pointer]) << 8 | Int(bytes[pointer + 1]))
        for _ in 0...below(2) where cell + 40 < bytes.count { bytes[cell + below(40)] = byte() }
    }

    private mutating func treeStart(_ bytes: [UInt8]) -> Int? {
        let count = bytes.count / Self.pageByteCount
        guard count > 0 else { return nil }
        let page = below(count)
        return page == 0 ? 100 : page * Self.pageByteCount
    }

    /// Changes a page in the log as somebody would who knows the checksums of its frames.
    private mutating func changeLogContent(_ log: inout [UInt8]) {
        let frameCount = (log.count - Self.logHeaderByteCount) / Self.frameByteCount
        guard frameCount > 0 else { return }
        let frame = Self.logHeaderByteCount + below(frameCount) * Self.frameByteCount
        var page = Array(log[(frame + 24)..<(frame + Self.frameByteCount)])
        for _ in 0...below(3) { page[below(below(2) == 0 ? 64 : page.count)] = byte() }
        log.replaceSubrange((frame + 24)..<(frame + Self.frameByteCount), with: page)
        LogChecksum.correct(&log, frameByteCount: Self.frameByteCount)
    }
}

/// The checksums of a write-ahead log. Source: https://www.sqlite.org/fileformat2.html#checksum_algorithm
private struct LogChecksum {
    private var words: (UInt32, UInt32) = (0, 0)
    private let isBigEndian: Bool

    private init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

    /// Gives every frame of a log the checksum that its content has.
    static func correct(_ log: inout [UInt8], frameByteCount: Int) {
        var checksum = LogChecksum(isBigEndian: log[3] & 1 == 1)
        checksum.add(log[0..<24])
        var start = 32
        while start + frameByteCount <= log.count {
            checksum.add(log[start..<start + 8])
            checksum.add(log[(start + 24)..<(start + frameByteCount)])
            for (offset, word) in [checksum.words.0, checksum.words.1].enumerated() {
                for index in 0..<4 {
                    log[start + 16 + 4 * offset + index] = UInt8(truncatingIfNeeded: word >> (24 - 8 * index))
                }
            }
            start += frameByteCount
        }
    }

    private mutating func add(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { buffer in
            for offset in stride(from: 0, to: buffer.count, by: 8) {
                words.0 &+= word(buffer, offset) &+ words.1
                words.1 &+= word(buffer, offset + 4) &+ words.0
            }
        }
    }

    private func word(_ buffer: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        let word = buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        return isBigEndian ? UInt32(bigEndian: word) : UInt32(littleEndian: word)
    }
}
