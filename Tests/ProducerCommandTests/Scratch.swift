import Foundation
import Service
import Testing

/// A folder of a test's own, removed with it.
final class Scratch {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tray-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }  // What is left over harms no other test.

    /// The path of a new file.
    func file(_ data: Data, named name: String = "order.yaml") throws -> String {
        let path = folder.appending(path: name).path
        try data.write(to: URL(filePath: path))
        return path
    }

    func file(_ text: String, named name: String = "order.yaml") throws -> String {
        try file(Data(text.utf8), named: name)
    }

    /// What is wrong with `file`, without the folder's name.
    func complaint(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "nothing"
        } catch {
            return "\(error)".replacing(folder.path + "/", with: "")
        }
    }
}
