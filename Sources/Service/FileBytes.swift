import Glibc

/// Files as bytes, with an error that names the cause.
public enum FileBytes {
    /// What a file of orders, a menu or a configuration may hold.
    public static let documentBytesMax = 256 << 20

    /// The name that stands for standard input.
    public static let standardInput = "-"

    /// Reads all of `file` (`-`: standard input).
    ///
    /// - Throws: `DocumentError` where the file is missing, a directory, not readable or larger than
    /// `bytesMax`.
    public static func read(_ file: String, bytesMax: Int = documentBytesMax) throws(DocumentError) -> [UInt8]
    {
        if file == standardInput { return try drain(STDIN_FILENO, of: "stdin", bytesMax: bytesMax) }
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(of: file, errno) }
        defer { close(descriptor) }
        return try drain(descriptor, of: file, bytesMax: bytesMax)
    }

    private static func drain(
        _ descriptor: Int32, of file: String, bytesMax: Int
    ) throws(DocumentError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure(of: file, errno) }
            guard bytes.count + count <= bytesMax else {
                throw DocumentError(
                    file: file, line: nil, path: "",
                    message: "is larger than \(bytesMax) bytes, the limit here")
            }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    private static func failure(of file: String, _ code: Int32) -> DocumentError {
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
