import Foundation
import Glibc
import TrayProducer

/// Data could not be written.
enum OutputError: Error {
    /// The reader closed standard output: nobody wants more.
    case readerGone
    /// Standard output is a file that cannot take it: the system's reason.
    case failed(reason: String)
    /// The task was cancelled while the reader read nothing.
    case cancelled
}

/// Standard output for data and standard error for talk, with a picture at the terminal's foot that is drawn
/// in place.
actor Console {
    private let output = Stream(descriptor: STDOUT_FILENO)
    private let talk = Stream(descriptor: STDERR_FILENO)
    private var picture = LivePicture()

    /// Of standard output: reports are cut to it.
    nonisolated var reportWidth: Int { output.size.width }
    nonisolated var reportStyle: TextStyle { output.style }
    /// Of standard error.
    nonisolated var talkSize: (width: Int, height: Int) { talk.size }
    nonisolated var talkStyle: TextStyle { talk.style }

    /// Whether a report for people ends up on the terminal, too.
    nonisolated var showsReports: Bool { output.isTerminal }

    /// Whether pictures can be drawn: not where the data that streams out would run through them.
    nonisolated func canDraw(besideStream: Bool) -> Bool {
        talk.isTerminal && !(besideStream && output.isTerminal)
    }

    /// Writes data, all of it.
    func write(_ data: Data) throws(OutputError) {
        switch output.write(data) {
        case nil: return
        case EPIPE?, EBADF?: throw .readerGone
        case ECANCELED?: throw .cancelled
        case let code?: throw .failed(reason: String(cString: strerror(code)))
        }
    }

    func write(line: String) throws(OutputError) { try write(Data("\(line)\n".utf8)) }

    /// Says something that stays. Nobody listening is no reason to stop.
    func say(_ line: String) { _ = talk.write(Data(picture.print(line).utf8)) }

    func draw(_ lines: [String]) { _ = talk.write(Data(picture.replace(with: lines).utf8)) }

    func erase() { _ = talk.write(Data(picture.erase().utf8)) }
}

/// One of the process's outputs.
private struct Stream: Sendable {
    /// Where the output is no terminal.
    private static let defaultSize = (width: 200, height: 24)

    let descriptor: Int32
    let isTerminal: Bool
    /// A file on a disk: nobody reads it along.
    private let isFile: Bool
    let style: TextStyle

    init(descriptor: Int32) {
        let environment = ProcessInfo.processInfo.environment
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1 && environment["TERM"] != "dumb"
        var status = stat()
        isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        style = TextStyle(isColoured: isTerminal && environment["NO_COLOR", default: ""].isEmpty)
    }

    /// Columns and rows, as they are now.
    var size: (width: Int, height: Int) {
        var size = winsize()
        guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0
        else {
            return Stream.defaultSize
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// What a pipe takes without blocking once it is ready (PIPE_BUF), however full it is.
    private static let readyBytes = 4_096
    private static let cancellationInterval = Int32(100)

    /// Writes all of `data`, and waits where the reader is slow: until it has read, or the task is cancelled.
    /// - Returns: The error's number where not all could be written.
    func write(_ data: Data) -> Int32? {
        data.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                guard isReady() else {
                    if Task.isCancelled { return ECANCELED }
                    continue
                }
                let chunk = rest.prefix(isFile ? rest.count : Stream.readyBytes)
                let count = Glibc.write(
                    descriptor, UnsafeRawBufferPointer(rebasing: chunk).baseAddress, chunk.count)
                switch (count, errno) {
                case (0..., _): rest = rest.dropFirst(count)
                case (_, EINTR), (_, EAGAIN): continue
                case (_, let code): return code
                }
            }
            return nil
        }
    }

    /// Whether a write does not block; an error shows in the write.
    private func isReady() -> Bool {
        guard !isFile else { return true }
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&waiting, 1, Stream.cancellationInterval) > 0
    }
}
