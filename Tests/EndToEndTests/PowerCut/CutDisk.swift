import Foundation
import Seeded

/// A disk as the journal leaves it: what is safe on it, and what a power cut may take away.
///
/// The rules are those of POSIX, and no kinder: the content and length of a file are safe once the file was
/// synced, its name once the folder was that has the name. What was not synced may be there or not, sector by
/// sector and in any order. A sector of 512 bytes is written whole or not at all.
struct CutDisk {
    private enum Change {
        case write(offset: Int, ArraySlice<UInt8>)
        case resize(byteCount: Int)
    }

    private enum NameChange {
        case added(String, Node)
        case removed(String)
        case moved(from: String, to: String)

        /// The folder that has to be synced for it.
        var folder: String {
            switch self {
            case .added(let name, _), .removed(let name), .moved(_, let name): CutDisk.folder(of: name)
            }
        }
    }

    private enum Node: Equatable {
        case file(Journal.FileNumber)
        case folder
    }

    private struct File {
        var safe: [UInt8] = []
        var pending: [Change] = []
    }

    private var files: [Journal.FileNumber: File] = [:]
    private var safeNames: [String: Node] = [:]
    private var pendingNames: [NameChange] = []

    static let sectorByteCount = 512

    mutating func apply(_ operation: Journal.Operation) {
        switch operation {
        case .created(let file, let name):
            files[file] = File()
            pendingNames.append(.added(name, .file(file)))
        case .written(let file, let offset, let bytes):
            files[file, default: File()].pending.append(.write(offset: offset, bytes))
        case .truncated(let file, let byteCount):
            files[file, default: File()].pending.append(.resize(byteCount: byteCount))
        case .renamed(let from, let to): pendingNames.append(.moved(from: from, to: to))
        case .unlinked(let name), .folderRemoved(let name): pendingNames.append(.removed(name))
        case .folderMade(let name): pendingNames.append(.added(name, .folder))
        case .linked(let file, let name): pendingNames.append(.added(name, .file(file)))
        case .synced(let file): sync(file)
        case .folderSynced(let name): sync(folder: name)
        }
    }

    private mutating func sync(_ file: Journal.FileNumber) {
        guard let pending = files[file]?.pending, !pending.isEmpty else { return }
        for change in pending { CutDisk.apply(change, to: &files[file, default: File()].safe) }
        files[file]?.pending = []
    }

    private mutating func sync(folder: String) {
        for change in pendingNames where change.folder == folder { CutDisk.apply(change, to: &safeNames) }
        pendingNames.removeAll { $0.folder == folder }
    }

    // MARK: After the cut

    /// What becomes of that which was not synced.
    enum Fate {
        case lost, kept
        /// Each sector and each name is kept or lost by itself, kept with this probability.
        case mixed(keeping: Double, seed: UInt64)
    }

    /// The files that are there when the power is back, by their paths.
    func contents(after fate: Fate) -> [String: [UInt8]] {
        var generator = SplitMix(seed: 0)
        var probability = 0.0
        switch fate {
        case .lost: break
        case .kept: probability = 1
        case .mixed(let keeping, let seed): (probability, generator) = (keeping, SplitMix(seed: seed))
        }
        var names = safeNames
        for change in pendingNames where generator.chance(probability) { CutDisk.apply(change, to: &names) }
        var contents: [String: [UInt8]] = [:]
        // In an order that is the same in every process: the generator is drawn from on the way.
        for (name, node) in names.sorted(by: { $0.key < $1.key }) {
            guard case .file(let number) = node, CutDisk.isReachable(name, names), let file = files[number]
            else { continue }
            var bytes = file.safe
            for change in file.pending {
                CutDisk.apply(change, to: &bytes, keeping: probability, &generator)
            }
            contents[name] = bytes
        }
        return contents
    }

    private static func folder(of name: String) -> String {
        let end = name.lastIndex(of: "/") ?? name.startIndex
        return end == name.startIndex ? "/" : String(name[..<end])
    }

    /// Whether all folders on the way to a name are there.
    private static func isReachable(_ name: String, _ names: [String: Node]) -> Bool {
        var folder = folder(of: name)
        while folder != "/" {
            guard names[folder] == .folder else { return false }
            folder = CutDisk.folder(of: folder)
        }
        return true
    }

    private static func apply(_ change: NameChange, to names: inout [String: Node]) {
        switch change {
        case .added(let name, let node): names[name] = node
        case .removed(let name): names[name] = nil
        case .moved(let from, let to):
            // Where the name that it had was lost, there is nothing to rename.
            if let node = names.removeValue(forKey: from) { names[to] = node }
        }
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .write(let offset, let new): overwrite(&bytes, at: offset, with: new)
        case .resize(let byteCount): resize(&bytes, to: byteCount)
        }
    }

    private static func apply(
        _ change: Change, to bytes: inout [UInt8], keeping probability: Double, _ generator: inout SplitMix
    ) {
        guard case .write(let offset, let new) = change, probability < 1 else {
            if generator.chance(probability) { apply(change, to: &bytes) }
            return
        }
        var start = offset
        while start < offset + new.count {
            let end = min(offset + new.count, (start / sectorByteCount + 1) * sectorByteCount)
            if generator.chance(probability) {
                let first = new.startIndex + start - offset
                overwrite(&bytes, at: start, with: new[first..<first + end - start])
            }
            start = end
        }
    }

    private static func overwrite(_ bytes: inout [UInt8], at offset: Int, with new: ArraySlice<UInt8>) {
        if bytes.count < offset + new.count { resize(&bytes, to: offset + new.count) }
        bytes.withUnsafeMutableBytes { target in
            new.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: target[offset...]).copyMemory(from: $0)
            }
        }
    }

    private static func resize(_ bytes: inout [UInt8], to count: Int) {
        if count < bytes.count {
            bytes.removeLast(bytes.count - count)
        } else {
            bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
        }
    }
}
