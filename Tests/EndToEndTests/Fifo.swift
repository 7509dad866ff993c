import Foundation
import Glibc

/// A named pipe that the test holds open at both ends, so that nobody who opens it waits for somebody else.
final class Fifo {
    let path: String
    private let descriptor: Int32

    init(at file: URL) throws {
        path = file.path
        guard mkfifo(path, 0o600) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }

    deinit { close(descriptor) }

    /// What lies in it, in bytes.
    var fill: Int {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    func write(_ text: String) { _ = Glibc.write(descriptor, text, text.utf8.count) }

    /// Fills it to the last byte: the end of its last page, too, where a short line would fit.
    func fillUp() { while Glibc.write(descriptor, "x", 1) == 1 {} }

    /// What lies in it, taken out.
    func read() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return Array(buffer.prefix(max(0, count)))
    }
}

extension Shop {
    /// Starts a producer with standard input, output or error on pipes of the test. It is the same process as the
    /// shell that opens them.
    func startProducer(
        _ arguments: [String], from input: Fifo? = nil, to output: Fifo? = nil, errors: Fifo? = nil
    ) throws -> Running {
        var script = #"exec "$0" "$@""#
        if let input { script += " < \(input.path)" }
        if let output { script += " > \(output.path)" }
        if let errors { script += " 2> \(errors.path)" }
        let producer = Place.executables.appending(path: "producer").path
        return try start(
            "producer", at: URL(filePath: "/bin/sh"), ["-c", script, producer] + arguments)
    }

    func fifo(_ name: String) throws -> Fifo { try Fifo(at: folder.appending(path: name)) }
}
