import Foundation
import GRDB

/// Why the store cannot be used. Nothing that was committed is lost with any of these, and where a start throws one,
/// the store's files are what they were before it, but for a change that was interrupted, which is undone, and a log
/// that may have been folded where the disk itself failed.
public enum StoreError: Error, Equatable, Sendable {
    /// The store's folder cannot be made, or its lock file not opened.
    case inaccessible(path: String, detail: String)
    /// Another assembler holds it; `nil` where its process id is not known.
    case locked(path: String, processID: Int32?)
    /// The file is none of Tray's.
    case foreign(path: String, detail: String)
    /// A later Tray wrote it.
    case newer(path: String, version: Int, knownVersion: Int)
    /// What was written is not what is there; the detail names the row.
    case corrupt(path: String, detail: String)
    case readOnly(path: String, detail: String)
    /// No room on the disk.
    case full(path: String, detail: String)
    /// Another program holds a lock within the file.
    case busy(path: String, detail: String)
    /// The file, or its log, was removed or replaced while it was open.
    case displaced(path: String, detail: String, rescue: Rescue)
    /// There is none, but a copy of one that was removed while it was open.
    case abandoned(path: String, copy: String)
    /// A journal of another file lies beside it: SQLite would undo in this one what was never done.
    case strayJournal(path: String, journal: String)
    /// There is no file, or an empty one, but a log that may hold orders: SQLite would throw it away.
    case strayLog(path: String, log: String)
    /// The file system, or SQLite, failed in another way.
    case failed(path: String, detail: String)

    /// From whatever a block that works with the file at `path` threw.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as StoreError: self = error
        case let damage as Damage: self = .corrupt(path: path, detail: damage.description)
        case let error as DatabaseError: self.init(error, path: path)
        default: self = .failed(path: path, detail: "\(error)")
        }
    }

    private init(_ error: DatabaseError, path: String) {
        let detail = error.message ?? "\(error.extendedResultCode)"
        switch error.resultCode {
        case .SQLITE_NOTADB: self = .foreign(path: path, detail: detail)
        case .SQLITE_CORRUPT: self = .corrupt(path: path, detail: detail)
        case .SQLITE_READONLY, .SQLITE_PERM: self = .readOnly(path: path, detail: detail)
        case .SQLITE_FULL: self = .full(path: path, detail: detail)
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy(path: path, detail: detail)
        case .SQLITE_IOERR where StoreError.isDiskFull(path),
            .SQLITE_CANTOPEN where StoreError.isDiskFull(path):
            self = .full(path: path, detail: detail)
        case .SQLITE_CANTOPEN: self = .inaccessible(path: path, detail: detail)
        default:
            self = .failed(path: path, detail: "\(detail) (SQLite code \(error.extendedResultCode.rawValue))")
        }
    }
}

extension StoreError {
    /// From what the system said about one of the store's files.
    init(systemCode: Int32, path: String, of what: String) {
        let detail = "\(what): \(systemMessage(systemCode))"
        switch systemCode {
        case ENOSPC, EDQUOT: self = .full(path: path, detail: detail)
        case EROFS, EACCES, EPERM: self = .readOnly(path: path, detail: detail)
        default: self = .inaccessible(path: path, detail: detail)
        }
    }

    /// SQLite has names of its own for a full disk where it makes the files beside the store.
    private static func isDiskFull(_ path: String) -> Bool {
        StoreFile.freeByteCount(at: path).map { $0 < sharedMemoryByteCount } ?? false
    }

    /// The smallest of the files beside the store, and the first that does not fit.
    private static let sharedMemoryByteCount = 32_768
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inaccessible(let path, let detail):
            "the store \(path) cannot be opened: \(detail); check the folder and its permissions"
        case .locked(let path, let processID):
            "the store \(path) is in use by \(processID.map { "process \($0)" } ?? "another process"); "
                + "stop that assembler first, or give this one a store of its own"
        case .foreign(let path, let detail):
            "\(path) is not a store of Tray: \(detail); it was left as it is, name another file"
        case .newer(let path, let version, let knownVersion):
            "the store \(path) has version \(version), this program knows versions up to \(knownVersion); "
                + "it was left as it is, start a newer assembler"
        case .corrupt(let path, let detail):
            "the store \(path) is damaged: \(detail); it was left as it is: run 'assembler verify' on it, "
                + "and restore it from a copy or move it away to begin with an empty one"
        case .readOnly(let path, let detail):
            "the store \(path) cannot be written: \(detail); check the permissions of the file and its folder, "
                + "and whether its disk is mounted for writing"
        case .full(let path, let detail):
            "no room for the store \(path): \(detail); make room, nothing that was acknowledged is lost"
        case .busy(let path, let detail):
            "another program works in the store \(path): \(detail); close it"
        case .displaced(let path, let detail, let rescue):
            "the store \(path) is not where it was: \(detail) while it was open; "
                + StoreError.advice(rescue, path: path)
        case .abandoned(let path, let copy):
            "there is no store \(path), but it was removed while it was open, and what it held is in \(copy): "
                + "move that file to \(path), or elsewhere to begin with an empty store"
        case .strayJournal(let path, let journal):
            "a journal that is not its own lies beside the store \(path), and would undo what was never done; both "
                + "were left as they are: move \(journal) away, and start again"
        case .strayLog(let path, let log):
            "there is no store \(path), or it is empty, but a log lies beside it that may hold orders, and would be "
                + "thrown away; it was left as it is: move the store's file back to \(path), or move \(log) away to "
                + "begin with an empty store"
        case .failed(let path, let detail):
            "the store \(path) cannot be used: \(detail)"
        }
    }
}

extension StoreError {
    private static func advice(_ rescue: Rescue, path: String) -> String {
        switch rescue {
        case .missing:
            "nothing more is acknowledged"
        case .copied(let copy):
            "everything that was acknowledged is in \(copy): find out what moves files here, "
                + "move that copy to \(path), and start the assembler again"
        case .inPlace:
            "everything that was acknowledged is in \(path) again: find out what removes files here, "
                + "and start the assembler again"
        case .failed(let detail):
            "what was acknowledged could not be saved (\(detail)): find the file that was moved away, with its -wal, "
                + "or restore a copy"
        }
    }
}

/// A row that is not as it was written.
struct Damage: Error, CustomStringConvertible {
    /// Such as `item_page 256 of order 01K…`.
    let row: String
    let detail: String

    var description: String { "\(row): \(detail)" }
}
