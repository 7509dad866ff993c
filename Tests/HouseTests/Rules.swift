/// The rules of the house, each a function from the house to the places that break it.
enum Rule {
    static let fileLinesMax = 450
    /// The formatter breaks code at 110; this is for what it cannot break, comments and strings.
    static let lineColumnsMax = 120

    /// Every room imports only the rooms that the design lets it; so no wing depends on another.
    static func foreignImports(in house: House) -> [String] {
        house.files.flatMap { file -> [String] in
            guard let room = Room(of: file.path) else { return [] }
            return file.imports
                .filter { Room.modules.contains($0) && !room.mayImport.contains($0) }
                .map { "\(file.path) imports \($0)" }
        }
    }

    /// A core imports the contract and collections, and nothing else: no Foundation, no clock, no I/O.
    static func impureCores(in house: House) -> [String] {
        house.files.flatMap { file -> [String] in
            guard let room = Room(of: file.path), room.isCore else { return [] }
            return file.imports
                .filter { !room.mayImport.contains($0) && !Room.collections.contains($0) }
                .map { "\(file.path) imports \($0)" }
        }
    }

    /// Every source stands in a room, so that no rule passes over it.
    static func homeless(in house: House) -> [String] {
        house.swiftFiles.map(\.path)
            .filter { $0.hasPrefix("Sources/") && Room(of: $0) == nil }
    }

    static func longFiles(in house: House) -> [String] {
        house.swiftFiles
            .filter { $0.lines.count > fileLinesMax }
            .map { "\($0.path) has \($0.lines.count) lines" }
    }

    static func wideLines(in house: House) -> [String] {
        house.swiftFiles.flatMap { file in
            file.lines.enumerated()
                .filter { $0.element.utf8.count > lineColumnsMax && $0.element.count > lineColumnsMax }
                .map { "\(file.path):\($0.offset + 1) has \($0.element.count) columns" }
        }
    }

    /// `word` in the code of our sources, comments left out.
    static func uses(of word: String, in house: House) -> [String] {
        house.swiftFiles.flatMap { file in
            file.lines.enumerated()
                .filter { code(of: $0.element).contains(word) }
                .map { "\(file.path):\($0.offset + 1)" }
        }
    }

    /// A PUSH socket deals work to the slow and the dead, a PULL socket cannot refuse it.
    static func blindSockets(in house: House) -> [String] {
        ["ZMQ_PUSH", "ZMQ_PULL"].flatMap { uses(of: $0, in: house) }.filter { $0.hasPrefix("Sources/") }
    }

    /// `@unchecked Sendable` stands under a comment that says why it is safe.
    static func unexplainedSendables(in house: House) -> [String] {
        house.swiftFiles.flatMap { file in
            file.lines.indices
                .filter { code(of: file.lines[$0]).contains(unchecked) && !isExplained(at: $0, in: file) }
                .map { "\(file.path):\($0 + 1)" }
        }
    }

    /// Paths of the machine that somebody wrote the file on.
    static func machinePaths(in house: House) -> [String] {
        house.files.flatMap { file in
            file.lines.enumerated()
                .filter { line in
                    homes.contains { line.element.contains($0) }
                        && line.element.contains(/(?:^|[\s"'`=(])\/(?:work|root|home\/\w+|Users\/\w+)\//)
                }
                .map { "\(file.path):\($0.offset + 1)" }
        }
    }

    private static let homes = ["/work", "/root", "/home", "/Users"]

    // Written apart, so that this file does not break its own rules.
    static let forcedTry = "try" + "!"
    static let detached = "Task" + ".detached"
    private static let unchecked = "@unchecked" + " Sendable"

    private static func code(of line: Substring) -> Substring {
        line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
    }

    /// The comment directly above, of any length, has a line that begins "Safe because".
    private static func isExplained(at index: Int, in file: House.File) -> Bool {
        file.lines[..<index].reversed()
            .map { $0.drop { $0 == " " } }
            .prefix { $0.hasPrefix("//") || $0.hasPrefix("@") }
            .contains { $0.drop { "/ ".contains($0) }.hasPrefix("Safe because") }
    }
}
