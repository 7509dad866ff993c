import Foundation

/// The file of a store, looked at before SQLite touches it.
///
/// Source of the offsets: the SQLite file format, https://www.sqlite.org/fileformat2.html#the_database_header
enum StoreFile {
    enum Finding: Equatable {
        case missing, store
        /// One whose making was interrupted: SQLite undoes it.
        case making
    }

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

    /// Says whether there is a store at `path`. An empty file counts as none, and so does one whose making was
    /// interrupted before its first sector was written.
    ///
    /// - Throws: Where the file is no store, one of a later version, or shorter than it says it is, where the
    ///   journal beside it is not its own, or where there is none, but a log that may hold orders.
    static func inspect(_ path: String) throws(StoreError) -> Finding {
        var status = stat()
        let pageCountBefore = Journal.pageCountBefore(path)
        let isMaking = pageCountBefore.map { $0 <= pageCountOfMaking } ?? false
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw StoreError(systemCode: errno, path: path, of: "the file") }
            return try nothing(path, besides: pageCountBefore)
        }
        let (header, byteCount) = try OpenedFile(path).beginning(byteCount: headerByteCount)
        if byteCount == 0 { return try nothing(path, besides: pageCountBefore) }
        guard header.starts(with: magic), header.count == headerByteCount else {
            if isMaking, byteCount <= pageByteCountMax, header.allSatisfy({ $0 == 0 }) {
                return try nothing(path, besides: pageCountBefore)
            }
            throw .foreign(path: path, detail: "it is not an SQLite file")
        }
        try check(header, path: path, byteCount: byteCount, hasJournal: pageCountBefore != nil)
        guard isMaking else { return .store }
        guard byteCount <= pageByteCount(in: header), !hasContent(StoreFiles.log(of: path)) else {
            throw .strayJournal(path: path, journal: Journal.name(path))
        }
        return .making
    }

    /// Whether the file at `path` is marked as one whose changes go to a log.
    static func hasLogMark(_ path: String) -> Bool {
        let header = try? OpenedFile(path).beginning(byteCount: headerByteCount).bytes
        return header.map { $0.count == headerByteCount && $0[18] == 2 } ?? false
    }

    /// What the making of a store changes through a journal: none, or the first page alone, without a table. The log
    /// gets its first content after that.
    private static let pageCountOfMaking = 1
    private static let pageByteCountMax = 65_536

    /// - Throws: Where there was a store, of which a journal or a log is left: SQLite would throw it away.
    private static func nothing(_ path: String, besides pageCountBefore: Int?) throws(StoreError) -> Finding {
        if let pageCountBefore, pageCountBefore > pageCountOfMaking {
            throw .strayJournal(path: path, journal: Journal.name(path))
        }
        let log = StoreFiles.log(of: path)
        guard !hasContent(log) else { throw .strayLog(path: path, log: log) }
        return .missing
    }

    private static func pageByteCount(in header: [UInt8]) -> Int {
        let number = Int(header[16]) << 8 | Int(header[17])
        return number == 1 ? pageByteCountMax : number
    }

    private static func check(
        _ header: [UInt8], path: String, byteCount: Int, hasJournal: Bool
    ) throws(StoreError) {
        guard number(in: header, at: 68) == Int(Schema.applicationID) else {
            throw .foreign(path: path, detail: "another application wrote it")
        }
        let version = number(in: header, at: 60)
        guard version <= Schema.version else {
            throw .newer(path: path, version: version, knownVersion: Schema.version)
        }
        let expected = pageByteCount(in: header) * number(in: header, at: 28)
        guard byteCount >= expected || hasContent(StoreFiles.log(of: path)) || hasJournal else {
            // Pages that the file lacks may stand in the log, and those of an interrupted change are undone.
            throw .corrupt(path: path, detail: "it has \(byteCount) bytes of \(expected): its end is missing")
        }
    }

    /// Syncs the folder at `path` and those that it stands in, as far as its file system goes: a name is safe
    /// once its folder is synced, and `makeFolder` may have made some of them.
    ///
    /// One that this process may not open for reading is left out.
    static func syncFolders(from path: URL, storePath: String) throws(StoreError) {
        var (folder, status) = (path, stat())
        guard stat(folder.path(percentEncoded: false), &status) == 0 else { return }
        let device = status.st_dev
        repeat {
            try sync(folder, storePath: storePath)
            if folder.pathComponents.count <= 1 { return }
            folder.deleteLastPathComponent()
        } while stat(folder.path(percentEncoded: false), &status) == 0 && status.st_dev == device
    }

    private static func sync(_ folder: URL, storePath: String) throws(StoreError) {
        let descriptor = open(folder.path(percentEncoded: false), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw StoreError(systemCode: errno, path: storePath, of: "its folder")
        }
    }

    /// - Throws: Where there is a file that this process may not write.
    static func checkWritable(_ path: String) throws(StoreError) {
        guard access(path, W_OK) != 0, errno != ENOENT else { return }
        throw StoreError(systemCode: errno, path: path, of: "the file")
    }

    /// Bytes that the disk of the file at `path` has for it; `nil` where nobody can tell.
    static func freeByteCount(at path: String) -> Int? {
        var information = statvfs()
        let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        guard statvfs(folder, &information) == 0 else { return nil }
        return Int(information.f_bavail) * Int(information.f_frsize)
    }

    static func hasContent(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_size > 0
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
