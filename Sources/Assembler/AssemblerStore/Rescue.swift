import Foundation
import GRDB

/// What became of the content of a store whose files were removed or replaced under it.
public enum Rescue: Equatable, Sendable {
    /// Nothing has been tried.
    case missing
    /// All of it is in this file.
    case copied(to: String)
    /// Only the log had gone: all of it is in the store's file again.
    case inPlace
    case failed(detail: String)
}

extension Store {
    /// Saves everything that was committed, and lets the store go: the open files are still there, whatever
    /// happened to their names. Overwrites nothing. Nothing may be called afterwards.
    ///
    /// - Parameter error: what `checkInPlace` threw.
    /// - Returns: it, with where everything is.
    public func rescue(from error: StoreError) -> StoreError {
        guard case .displaced(let path, let detail, _) = error else { return error }
        // Of a store that was never made there is nothing to save.
        let rescue = isUnmade ? .missing : rescue(to: path)
        do throws(StoreError) {
            try letGo()
            return .displaced(path: path, detail: detail, rescue: rescue)
        } catch {
            return .displaced(path: path, detail: detail, rescue: .failed(detail: "\(error)"))
        }
    }

    /// Where the content of a store that was removed is saved.
    static func rescued(_ path: String) -> String { "\(path).rescued" }

    /// - Parameter place: where the next start looks for it: the path of the file, or the link that led there.
    private func rescue(to place: String) -> Rescue {
        let isFileLost = place == path
        if isFileLost, isWriting, files?.isFileInPlace == true, foldLogWhole() { return .inPlace }
        do throws(StoreError) {
            try StoreFile.makeFolder(of: place)
            let copy = try RescuedCopy(of: place)
            do throws(StoreError) {
                try perform { try $0.execute(sql: "VACUUM INTO ?", arguments: [copy.path]) }
                let name = try copy.keep(as: Store.rescued(place))
                if isFileLost { files?.setLogAside(as: "\(name)-log") }
                // After a power cut, too, no log may lie there that the copy would be taken for the file of.
                try StoreFile.syncFolders(
                    from: URL(filePath: place).absoluteURL.deletingLastPathComponent(), storePath: place)
                return .copied(to: name)
            } catch {
                copy.discard()
                throw error
            }
        } catch {
            return .failed(detail: "\(error)")
        }
    }

    /// - Returns: false where somebody who reads, or a full disk, is in the way.
    private func foldLogWhole() -> Bool {
        do throws(StoreError) {
            try perform { _ = try $0.checkpoint(.truncate) }
            return true
        } catch {
            return false
        }
    }
}

/// A file that nobody else has, until it is whole and gets its name.
private struct RescuedCopy {
    let path: String

    init(of storePath: String) throws(StoreError) {
        // `mkstemp` puts letters of its own in the place of the six.
        var template = Array("\(storePath).rescuing-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw .inaccessible(path: storePath, detail: systemMessage(errno)) }
        close(descriptor)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Syncs the file and names it `name`, or `name-2`, `name-3`… where there is one already.
    func keep(as name: String) throws(StoreError) -> String {
        try RescuedCopy.sync(path)
        var (candidate, number) = (name, 1)
        while link(path, candidate) != 0 {
            guard errno == EEXIST else { throw .inaccessible(path: candidate, detail: systemMessage(errno)) }
            number += 1
            candidate = "\(name)-\(number)"
        }
        unlink(path)
        try RescuedCopy.sync(URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false))
        return candidate
    }

    func discard() { unlink(path) }

    private static func sync(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .inaccessible(path: path, detail: systemMessage(errno)) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .failed(path: path, detail: systemMessage(errno)) }
    }
}
