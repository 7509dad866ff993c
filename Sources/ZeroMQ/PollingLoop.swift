import CZeroMQ
import Glibc
import Synchronization

/// What a polling thread does. It outlives the `PollingThread`, whose end is how it learns that it should
/// stop.
///
/// Safe because what is not in the mailbox is touched on the loop's own thread only, which every entry
/// checks.
final class PollingLoop: @unchecked Sendable {
    /// What other threads leave for this one.
    private struct Mailbox {
        var jobs: [UnownedJob] = []
        /// Kept while jobs wait, so that it outlives them.
        var executor: PollingThread?
        var retired: [SocketHandle] = []
        /// Whether the wake-up descriptor was written since the mailbox was last emptied.
        var isSignalled = false
        var isStopping = false
        var hasEnded = false
    }

    private let mailbox = Mutex(Mailbox())
    /// `pthread_self()` of the running thread; 0 before and after.
    private let threadNumber = Atomic<UInt>(0)
    private let wakeUp: Int32
    private let timer: Int32

    private var watched: [SocketHandle] = []
    /// The wake-up descriptor, the timer, then the sockets of `watched`.
    private var pollItems: [zmq_pollitem_t] = []
    private var round: (() -> ContinuousClock.Instant?)?
    /// What the timer is set to.
    private var alarm: ContinuousClock.Instant?

    init() {
        wakeUp = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        timer = timerfd_create(CLOCK_BOOTTIME, Int32(TFD_NONBLOCK) | Int32(TFD_CLOEXEC))
        precondition(
            wakeUp >= 0 && timer >= 0,
            "no descriptors for a polling thread: \(String(cString: strerror(errno)))")
        rebuildPollItems()
    }

    deinit {
        close(wakeUp)
        close(timer)
    }

    var isCurrentThread: Bool { threadNumber.load(ordering: .acquiring) == UInt(pthread_self()) }

    private func checkThread() {
        precondition(isCurrentThread, "not on the polling thread")
    }

    // MARK: Any thread

    func start(name: String) {
        final class Start {
            let loop: PollingLoop
            let name: String
            init(_ loop: PollingLoop, _ name: String) { (self.loop, self.name) = (loop, name) }
        }
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                name_current_thread(start.name)
                start.loop.run()
                return nil
            }, Unmanaged.passRetained(Start(self, name)).toOpaque())
        precondition(code == 0, "no thread for polling thread \(name): \(String(cString: strerror(code)))")
        pthread_detach(thread)
    }

    func enqueue(_ job: UnownedJob, executor: PollingThread) {
        signal {
            $0.jobs.append(job)
            $0.executor = executor
        }
    }

    func wake() {
        signal { _ in }
    }

    func stop() {
        signal { $0.isStopping = true }
    }

    /// Closes a socket that this loop watches, on its thread.
    /// - Returns: false when the loop has ended: then nobody polls the socket, and the caller closes it.
    func retire(_ handle: SocketHandle) -> Bool {
        if isCurrentThread {
            unwatch(handle)
            handle.close()
            return true
        }
        return signal {
            if !$0.hasEnded { $0.retired.append(handle) }
            return !$0.hasEnded
        }
    }

    @discardableResult
    private func signal<Result: Sendable>(_ leave: (inout sending Mailbox) -> Result) -> Result {
        mailbox.withLock { mailbox in
            let result = leave(&mailbox)
            if !mailbox.isSignalled {
                mailbox.isSignalled = true
                // Within the lock: were the mailbox emptied in between, the descriptor would stay readable.
                eventfd_write(wakeUp, 1)
            }
            return result
        }
    }

    // MARK: On the thread

    func watch(_ handle: SocketHandle) {
        checkThread()
        handle.move(to: self)
        guard !watched.contains(where: { $0 === handle }) else { return }
        watched.append(handle)
        rebuildPollItems()
    }

    func unwatch(_ handle: SocketHandle) {
        checkThread()
        guard let index = watched.firstIndex(where: { $0 === handle }) else { return }
        watched.remove(at: index)
        rebuildPollItems()
    }

    func setRound(_ body: (() -> ContinuousClock.Instant?)?) {
        checkThread()
        round = body
    }

    private func rebuildPollItems() {
        let input = Int16(ZMQ_POLLIN)
        pollItems =
            [wakeUp, timer].map { zmq_pollitem_t(socket: nil, fd: $0, events: input, revents: 0) }
            + watched.map { zmq_pollitem_t(socket: $0.pointer, fd: 0, events: input, revents: 0) }
    }

    private func run() {
        threadNumber.store(UInt(pthread_self()), ordering: .releasing)
        var deadline: ContinuousClock.Instant?
        repeat {
            wait(until: deadline)
            let mail = takeMail()
            for handle in mail.retired {
                unwatch(handle)
                handle.close()
            }
            if let executor = mail.executor { run(mail.jobs, on: executor) }
            deadline = round?()
        } while !isStopping
        end()
    }

    /// The last job may give up all other references to its executor.
    private func run(_ jobs: [UnownedJob], on executor: PollingThread) {
        withExtendedLifetime(executor) {
            for job in jobs { job.runSynchronously(on: executor.asUnownedSerialExecutor()) }
        }
    }

    private var isStopping: Bool { mailbox.withLock { $0.isStopping } }

    /// Sleeps until there is something to do.
    ///
    /// The deadline is a timer among the polled descriptors, because poll's own time-out counts whole
    /// milliseconds.
    private func wait(until deadline: ContinuousClock.Instant?) {
        setAlarm(deadline)
        let count = Int32(pollItems.count)
        let code = pollItems.withUnsafeMutableBufferPointer { zmq_poll($0.baseAddress, count, -1) }
        // An interrupted wait counts as a wake-up.
        precondition(
            code >= 0 || zmq_errno() == EINTR, "zmq_poll: \(String(cString: zmq_strerror(zmq_errno())))")
    }

    /// The timer stays readable once it has fired, until it is set anew: a deadline that has passed is not
    /// slept on.
    private func setAlarm(_ deadline: ContinuousClock.Instant?) {
        guard deadline != alarm else { return }
        alarm = deadline
        var setting = itimerspec()
        if let deadline {
            // Zero would switch the timer off.
            let (seconds, attoseconds) = max(.nanoseconds(1), deadline - .now).components
            setting.it_value = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        }
        timerfd_settime(timer, 0, &setting, nil)
    }

    private func takeMail() -> Mailbox {
        mailbox.withLock { mailbox in
            if mailbox.isSignalled {
                var count = eventfd_t()
                eventfd_read(wakeUp, &count)
            }
            let mail = mailbox
            mailbox = Mailbox(isStopping: mail.isStopping, hasEnded: mail.hasEnded)
            return mail
        }
    }

    /// From here on sockets that were watched are closed by whoever gives them up.
    private func end() {
        let retired = mailbox.withLock { mailbox in
            mailbox.hasEnded = true
            return mailbox.retired
        }
        round = nil
        watched = []
        threadNumber.store(0, ordering: .releasing)
        for handle in retired { handle.close() }
    }
}
