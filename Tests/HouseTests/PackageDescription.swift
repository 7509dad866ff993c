import Foundation

/// What `swift package dump-package` says of the targets that are not tests.
struct PackageDescription {
    struct Target {
        let name: String
        /// Where its sources stand, without a closing slash.
        let path: String
        /// Names of targets and products.
        let dependencies: [String]
    }

    let targets: [Target]

    init(targets: [Target]) { self.targets = targets }

    /// Asks SwiftPM, with a scratch folder of its own: the build's is locked while its tests run.
    init(root: URL) throws {
        let scratch = FileManager.default.temporaryDirectory.appending(path: "tray-house")
        defer { try? FileManager.default.removeItem(at: scratch) }  // best effort: it is a temporary folder
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "swift", "package", "dump-package", "--package-path", root.path, "--scratch-path", scratch.path,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let dump = try JSONDecoder().decode(Dump.self, from: data)
        targets = dump.targets.filter { $0.type == "regular" || $0.type == "executable" }.map(\.target)
    }

    private struct Dump: Decodable {
        let targets: [DumpedTarget]
    }

    private struct DumpedTarget: Decodable {
        let name: String
        let type: String
        let path: String?
        let dependencies: [DumpedDependency]

        var target: Target {
            Target(name: name, path: path ?? "Sources/\(name)", dependencies: dependencies.compactMap(\.name))
        }
    }

    /// `{"byName": ["Wire", null]}`, `{"product": ["Logging", "swift-log", …]}` or `{"target": ["Wire",
    /// null]}`.
    private struct DumpedDependency: Decodable {
        let name: String?

        init(from decoder: any Decoder) throws {
            let kinds = try decoder.singleValueContainer().decode([String: [Name]].self)
            name = kinds.values.first?.first?.text
        }
    }

    /// The first of a dependency's entries; those after it (package, conditions) are of many kinds.
    private struct Name: Decodable {
        let text: String?

        init(from decoder: any Decoder) throws {
            text = try? decoder.singleValueContainer().decode(String.self)  // anything else names nothing
        }
    }
}

extension Rule {
    /// A target's own modules are those that its room may import.
    static func foreignDependencies(in package: PackageDescription) -> [String] {
        package.targets.flatMap { target -> [String] in
            // What only tests use may look into every wing.
            if target.path.hasPrefix("Tests/") { return [] }
            guard let room = Room(of: target.path + "/") else { return ["\(target.name) stands in no room"] }
            return target.dependencies
                .filter { Room.modules.contains($0) && !room.mayImport.contains($0) }
                .map { "\(target.name) depends on \($0)" }
        }
    }
}
