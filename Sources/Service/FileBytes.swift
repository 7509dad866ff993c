import Glibc

/// Files as bytes, with an error that names the cause.
public enum FileBytes {
    /// What a file of orders, a menu or a configuration may hold.
    public static let documentBytesMax = 256 << 20

    /// The name that stands for standard input.
    public static let standardInput = "-"

    /// Whether there is something at `path`, also where its folder may not be looked into: then reading it says why.
    public static func isThere(_ path: String) -> Bool {
        access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)
    }

    /// Reads all of `file` (`-`: standard input).
    ///
    /// - Throws: `DocumentError` where the file is missing, a directory, not readable or larger than
    /// `bytesMax`.
    public static func read(_ file: String, bytesMax: Int = documentBytesMax) throws(DocumentError) -> [UInt8]
    {
        var bytes: [UInt8] = []
        try forEachChunk(of: file) { chunk throws(DocumentError) in
            guard bytes.count + chunk.count <= bytesMax else {
                throw DocumentError(
                    file: name(of: file), line: nil, path: "",
                    message: "is larger than \(bytesMax) bytes, the limit here")
            }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }

    /// Reads `file` (`-`: standard input) piece by piece.
    ///
    /// - Throws: `DocumentError` where the file is missing, a directory or not readable, and what `body` throws.
    public static func forEachChunk(
        of file: String, _ body: (ArraySlice<UInt8>) throws(DocumentError) -> Void
    ) throws(DocumentError) {
        let isStandardInput = file == standardInput
        let descriptor = isStandardInput ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(of: file, errno) }
        defer { if !isStandardInput { close(descriptor) } }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure(of: name(of: file), errno) }
            try body(chunk[..<count])
        }
    }

    /// As errors name it.
    public static func name(of file: String) -> String { file == standardInput ? "stdin" : file }

    private static func failure(of file: String, _ code: Int32) -> DocumentError {
        guard !file.isEmpty else {
            return DocumentError(file: "\"\"", line: nil, path: "", message: "is no file's name")
        }
        let message =
            switch code {
            case ENOENT: "there is no such file"
            case EISDIR: "is a directory; a file is needed"
            case EACCES: "may not be read by this user; check its permissions"
            default: "cannot be read: \(String(cString: strerror(code)))"
            }
        return DocumentError(file: file, line: nil, path: "", message: message)
    }
}
