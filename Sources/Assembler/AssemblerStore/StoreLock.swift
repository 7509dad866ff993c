import Foundation

/// Holds a store for one process, through a lock on the file beside it that also names the process.
///
/// The kernel drops the lock when the process ends, however it ends; the file stays and means nothing by
/// itself.
final class StoreLock {
    /// -1 once released.
    private var descriptor: Int32

    /// - Throws: `StoreError.locked` where another process, or this one, holds it.
    init(storePath: String) throws(StoreError) {
        let descriptor = open("\(storePath).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw StoreError(systemCode: errno, path: storePath, of: "its lock file")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = StoreLock.processID(in: descriptor)
            close(descriptor)
            throw .locked(path: storePath, processID: holder)
        }
        self.descriptor = descriptor
        note(getpid())
    }

    /// Names the holder, for people. On a full disk it may not get through: the lock is held all the same.
    private func note(_ processID: Int32) {
        let text = Array("\(processID)\n".utf8)
        // First written, then cut: what is there already needs no room.
        if pwrite(descriptor, text, text.count, 0) == text.count {
            _ = ftruncate(descriptor, off_t(text.count))
        }
    }

    deinit { release() }

    /// Lets the store go. May be called again.
    func release() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
    }

    private static func processID(in descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).first.flatMap { Int32($0) }
    }
}

/// What the system says about an error code.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }
