import Foundation

/// Where a store is: the name that it was asked for by, and its file's path, which is another where a link leads there.
///
/// SQLite resolves links, and puts the log and the journal beside the file that it finds. What lies beside a store
/// is looked for there, and there is one lock whatever the name. (Two names of the file itself, hard links, are two
/// stores to SQLite and to us.)
struct StorePlace {
    let name: String
    /// Without links.
    let path: String

    private static let linkCountMax = 40

    init(_ name: String) throws(StoreError) {
        self.name = name
        path = try StorePlace.resolve(name)
    }

    /// Where there is no file yet, it is the path that one would have.
    private static func resolve(_ name: String) throws(StoreError) -> String {
        var path = name
        for _ in 0..<linkCountMax {
            if let resolved = try realPath(path) { return resolved }
            let folder = StorePlace.folder(of: path)
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else {
                // A folder that is missing is named by whoever opens the file.
                guard let resolved = try realPath(folder) else { return path }
                return (resolved as NSString).appendingPathComponent((path as NSString).lastPathComponent)
            }
            path = target.hasPrefix("/") ? target : "\(folder)/\(target)"
        }
        throw StoreError(systemCode: ELOOP, path: name, of: "the file")
    }

    private static func folder(of path: String) -> String {
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? "." : folder
    }

    /// - Returns: `nil` where there is nothing.
    private static func realPath(_ path: String) throws(StoreError) -> String? {
        guard let resolved = realpath(path, nil) else {
            if errno == ENOENT { return nil }
            throw StoreError(systemCode: errno, path: path, of: "the file")
        }
        defer { free(resolved) }
        guard let text = String(validatingCString: resolved) else {
            throw .inaccessible(path: path, detail: "its name is no UTF-8")
        }
        return text
    }
}
