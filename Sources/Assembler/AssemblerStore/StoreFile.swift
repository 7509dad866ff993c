import Foundation

/// The file of a store, looked at before SQLite touches it.
///
/// Source of the offsets: the SQLite file format, https://www.sqlite.org/fileformat2.html#the_database_header
enum StoreFile {
    enum Finding: Equatable { case missing, store }

    private static let headerByteCount = 100
    private static let magic = Array("SQLite format 3\0".utf8)

    static func makeFolder(of path: String) throws(StoreError) {
        let folder = URL(filePath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            let folderPath = folder.path(percentEncoded: false)
            throw .inaccessible(
                path: path, detail: "the folder \(folderPath) cannot be made: \(reason(error))")
        }
    }

    /// Says whether there is a store at `path`. An empty file counts as none.
    ///
    /// - Throws: Where the file is no store, one of a later version, or shorter than it says it is.
    static func inspect(_ path: String) throws(StoreError) -> Finding {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return .missing }
            throw .inaccessible(path: path, detail: systemMessage(errno))
        }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: headerByteCount)
        let count = pread(descriptor, &header, headerByteCount, 0)
        guard count >= 0 else { throw .inaccessible(path: path, detail: systemMessage(errno)) }
        if count == 0 { return .missing }
        guard header.starts(with: magic), count == headerByteCount else {
            throw .foreign(path: path, detail: "it is not an SQLite file")
        }
        try check(header, path: path, byteCount: Int(lseek(descriptor, 0, SEEK_END)))
        return .store
    }

    private static func check(_ header: [UInt8], path: String, byteCount: Int) throws(StoreError) {
        guard number(in: header, at: 68) == Int(Schema.applicationID) else {
            throw .foreign(path: path, detail: "another application wrote it")
        }
        let version = number(in: header, at: 60)
        guard version <= Schema.version else {
            throw .newer(path: path, version: version, knownVersion: Schema.version)
        }
        let pageByteCount = Int(header[16]) << 8 | Int(header[17])
        let expected = (pageByteCount == 1 ? 65_536 : pageByteCount) * number(in: header, at: 28)
        guard byteCount >= expected || hasLog(path) else {
            throw .corrupt(path: path, detail: "it has \(byteCount) bytes of \(expected): its end is missing")
        }
    }

    /// Pages that the file lacks may stand in the write-ahead log.
    private static func hasLog(_ path: String) -> Bool {
        var status = stat()
        return stat("\(path)-wal", &status) == 0 && status.st_size > 0
    }

    private static func number(in header: [UInt8], at offset: Int) -> Int {
        header[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    private static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        guard let underlying, underlying.domain == NSPOSIXErrorDomain else {
            return error.localizedDescription
        }
        return systemMessage(Int32(underlying.code))
    }
}
