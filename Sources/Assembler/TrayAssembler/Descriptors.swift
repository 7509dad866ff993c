import Glibc
import Wire

/// Whether this process can still take connections.
///
/// libzmq would tell it of each that it cannot take, and tries again at once, without end: see `SocketMonitor`.
struct Descriptors {
    private static let pause = Duration.seconds(1)

    /// When `look` wants to be called at the latest.
    private(set) var nextDeadline = Instant(nanoseconds: 0)

    /// Once a second: tries to get a descriptor.
    /// - Returns: the system's number for why there is none; `nil` where there is one, where it is refused for another
    ///   reason, and in between.
    mutating func look(now: Instant) -> Int32? {
        guard now >= nextDeadline else { return nil }
        nextDeadline = now.advanced(by: Descriptors.pause)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            let code = errno
            return [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) ? code : nil
        }
        close(descriptor)
        return nil
    }
}
