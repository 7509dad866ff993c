import Glibc

/// A thread of its own that waits on sockets and runs an actor's jobs: the executor of a shell.
///
/// The shell is an actor whose `unownedExecutor` is this thread, so its methods and the sockets that it holds
/// live on one thread, without locks. Each wake-up (a watched socket, a job, `wake()`, the deadline) runs the
/// jobs that are queued, and then one round. The thread ends when the last reference to this object is gone,
/// wherever that is.
public final class PollingThread: SerialExecutor {
    private let loop: PollingLoop

    /// - Parameter name: what debuggers and `top -H` show; cut at 15 bytes.
    public init(name: String) {
        loop = PollingLoop()
        loop.start(name: name)
    }

    deinit {
        loop.stop()
    }

    /// Wakes the thread whenever `socket` has something to receive. On this thread only.
    ///
    /// The socket lives on this thread from now on, wherever it was made. Closing it ends the watch.
    public func watch(_ socket: borrowing Socket) {
        loop.watch(socket.handle)
    }

    public func watch(_ monitor: borrowing SocketMonitor) {
        loop.watch(monitor.socket.handle)
    }

    /// Ends the watch; without one, nothing happens. On this thread only.
    public func unwatch(_ socket: borrowing Socket) {
        loop.unwatch(socket.handle)
    }

    public func unwatch(_ monitor: borrowing SocketMonitor) {
        loop.unwatch(monitor.socket.handle)
    }

    /// Calls `body` on this thread, at once and after every wake-up, until another takes its place. On this
    /// thread only.
    ///
    /// Input that a round leaves unread wakes the thread again at once. A body that holds the shell strongly
    /// keeps both alive for ever: capture it weakly (an unowned reference traps in a round that meets the
    /// shell's end).
    /// - Parameter body: returns when it wants to be called again at the latest; nil: on wake-ups only.
    public func onRound(_ body: @escaping () -> ContinuousClock.Instant?) {
        loop.setRound(body)
    }

    /// Has no more rounds called. On this thread only.
    public func endRounds() {
        loop.setRound(nil)
    }

    /// Causes a round. Any thread.
    public func wake() {
        loop.wake()
    }

    // MARK: SerialExecutor

    public func enqueue(_ job: consuming ExecutorJob) {
        loop.enqueue(UnownedJob(job), executor: self)
    }

    public func checkIsolated() {
        precondition(loop.isCurrentThread, "not on the polling thread")
    }

    public func isIsolatingCurrentContext() -> Bool? {
        loop.isCurrentThread
    }
}
