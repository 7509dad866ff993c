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
            throw .inaccessible(path: storePath, detail: "its lock file: \(systemMessage(errno))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = StoreLock.processID(in: descriptor)
            close(descriptor)
            throw .locked(path: storePath, processID: holder)
        }
        self.descriptor = descriptor
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count else {
            throw .full(path: storePath, detail: "its lock file cannot be written: \(systemMessage(errno))")
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
        return Int32(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).filter(\.isNumber))
    }
}

/// What the system says about an error code.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }
