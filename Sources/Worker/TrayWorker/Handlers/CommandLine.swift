import Foundation
import Glibc
import Service

/// The words of a command, `{payload}` among them.
struct CommandLine: Sendable, Equatable {
    static let placeholder = Array("{payload}".utf8)

    /// As configured.
    let program: String
    /// Where it was found.
    let path: String
    private let arguments: [[UInt8]]

    /// Looks the program up as the system would: a name in `PATH`, anything with a `/` as it is.
    ///
    /// - Throws: `CommandError` where there is no such program, or it may not be run.
    init(_ words: [String], searchPath: String) throws(CommandError) {
        guard let program = words.first, !program.isEmpty else { throw .empty }
        guard !words.contains(where: { $0.utf8.contains(0) }) else { throw .nul }
        guard !program.contains("{payload}") else { throw .payloadAsProgram }
        self.program = program
        path = try CommandLine.find(program, searchPath: searchPath)
        arguments = words.dropFirst().map { Array($0.utf8) }
    }

    private static func find(_ program: String, searchPath: String) throws(CommandError) -> String {
        guard !program.contains("/") else {
            guard isProgram(program) else { throw .notFound(program) }
            return program
        }
        for folder in searchPath.split(separator: ":") {
            let path = "\(folder)/\(program)"
            if isProgram(path) { return path }
        }
        throw .notFound(program)
    }

    private static func isProgram(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }

    /// The arguments, with `payload` for each `{payload}`.
    ///
    /// - Throws: `CommandError` when the payload has a NUL, which no argument can carry.
    func arguments(payload: [UInt8]) throws(CommandError) -> [[UInt8]] {
        var filled: [[UInt8]] = []
        for argument in arguments {
            let pieces = argument.split(separator: CommandLine.placeholder, omittingEmptySubsequences: false)
            guard pieces.count == 1 || !payload.contains(0) else { throw .nulInPayload }
            filled.append(Array(pieces.joined(separator: payload)))
        }
        return filled
    }
}

/// Why a command cannot run.
public enum CommandError: Error, Equatable, Sendable {
    case empty
    /// A word of the command has a NUL.
    case nul
    case payloadAsProgram
    case notFound(String)
    case nulInPayload
}

extension CommandError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty: "a command needs a program: [sha256sum, \"{payload}\"]"
        case .nul: "a command cannot have NUL characters"
        case .payloadAsProgram: "the program of a command cannot come from the payload"
        case .notFound(let program):
            program.contains("/")
                ? "\(PlainText.beginning(of: program, scalarCountMax: 1_000)) is not a program that can be run here"
                : "no program \"\(PlainText.beginning(of: program))\" in PATH that can be run here"
        case .nulInPayload:
            "the payload has a NUL byte, which no argument can carry: "
                + "read it from standard input instead"
        }
    }
}

/// The payload as a command gets it.
package enum PayloadText {
    /// A JSON string as its characters, other JSON compact, text and bytes as they are.
    package static func bytes(of payload: Content) -> [UInt8] {
        switch payload.kind {
        case .bytes, .text, .UNRECOGNIZED: Array(payload.data)
        case .json:
            // What does not decode as a string is another value.
            (try? JSONDecoder().decode(String.self, from: payload.data)).map { Array($0.utf8) }
                ?? compact(payload.data)
        }
    }

    /// JSON without the space between its tokens; numbers and escapes stay as they are written.
    package static func compact(_ json: some Sequence<UInt8>) -> [UInt8] {
        var isInString = false
        var isEscaped = false
        return json.filter { character in
            if isInString {
                isInString = isEscaped || character != UInt8(ascii: "\"")
                isEscaped = !isEscaped && character == UInt8(ascii: "\\")
                return true
            }
            isInString = character == UInt8(ascii: "\"")
            return ![0x20, 0x09, 0x0a, 0x0d].contains(character)
        }
    }
}
