import Foundation

/// Which files a store has open: the file itself, and its log.
///
/// SQLite goes on with a file that was removed or replaced as if nothing had happened, and what it writes is
/// gone when it closes it.
struct StoreFiles {
    private let place: StorePlace
    private let file: FileIdentity
    /// Absent for a store that was opened for reading when it had none.
    private let log: FileIdentity?

    private var path: String { place.path }

    /// - Parameter place: of a store that has just been opened.
    init(_ place: StorePlace, watchesLog: Bool) throws(StoreError) {
        guard let file = Look(place.path).identity else {
            throw .displaced(path: place.path, detail: "it was removed", rescue: .missing)
        }
        self.place = place
        self.file = file
        log = watchesLog ? Look(StoreFiles.log(of: place.path)).identity : nil
    }

    static func log(of path: String) -> String { "\(path)-wal" }

    var isFileInPlace: Bool { isFile(Look(path)) }

    /// Whether what was found at the store's path is the file.
    func isFile(_ found: Look) -> Bool { found == .there(file) }

    /// Renames the log that was left without its file: SQLite would take it for that of whatever is put in the
    /// file's place, the copy of its content too, and write it into it.
    func setLogAside(as name: String) {
        guard let log, Look(StoreFiles.log(of: path)) == .there(log), Look(name) == .absent else { return }
        // Where it cannot be renamed, whoever puts another file there is told of damage, and nothing is lost.
        rename(StoreFiles.log(of: path), name)
    }

    /// - Parameter hasLog: whether there has to be a log.
    /// - Throws: `.displaced`, where the files are not what and where they were.
    func check(hasLog: Bool = false) throws(StoreError) {
        if hasLog && log == nil {
            throw .displaced(
                path: path, detail: "its log, \(StoreFiles.log(of: path)), was removed", rescue: .missing)
        }
        if let detail = displacement() {
            throw .displaced(path: path, detail: detail, rescue: .missing)
        }
        // The next start looks for the store by its name.
        let found = Look(place.name)
        guard found == .there(file) || found == .unknown else {
            throw .displaced(path: place.name, detail: "it ceased to lead to \(path)", rescue: .missing)
        }
    }

    private func displacement() -> String? {
        switch Look(path) {
        case .absent: return "it was removed"
        case .there(let found) where found != file: return "another file took its place"
        case .there, .unknown: break
        }
        guard let log else { return nil }
        switch Look(StoreFiles.log(of: path)) {
        case .absent: return "its log, \(StoreFiles.log(of: path)), was removed"
        case .there(let found) where found != log:
            return "another file took the place of its log, \(StoreFiles.log(of: path))"
        case .there, .unknown: return nil
        }
    }
}
