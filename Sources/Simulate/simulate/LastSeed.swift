import Glibc
import Synchronization

/// A core that finds itself in a state that cannot be stops the process: then the seed must be told, or nobody
/// could replay it. Each thread has its own: the one that stops is the one that runs the handler.
enum LastSeed {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        precondition(pthread_key_create(&key, nil) == 0, "there is no room for a thread's own seed")
        return key
    }()

    /// One thread speaks: where seeds run at once, several may stop.
    private static let isTold = Atomic(false)

    static func begin(_ number: UInt64) {
        pthread_setspecific(key, UnsafeRawPointer(bitPattern: UInt(number)))
    }

    private static var number: UInt64 { UInt64(UInt(bitPattern: pthread_getspecific(key))) }

    /// From here on a trap tells its seed, and ends with 1: a promise was broken.
    static func listen() {
        // Made here: nothing may be made in a handler.
        _ = (key, isTold.load(ordering: .relaxed))
        for number in [SIGILL, SIGTRAP, SIGABRT] {
            signal(number) { _ in
                while LastSeed.isTold.exchange(true, ordering: .relaxed) { pause() }
                LastSeed.say("a core stopped where it must not be; replay it: simulate --seed ")
                LastSeed.sayNumber(LastSeed.number)
                _exit(1)
            }
        }
    }

    /// Only what a signal handler may call.
    private static func say(_ text: StaticString) {
        text.withUTF8Buffer { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }

    private static func sayNumber(_ number: UInt64) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            var digit = UInt8(ascii: "0") + UInt8(number / divisor % 10)
            _ = write(STDOUT_FILENO, &digit, 1)
            divisor /= 10
        }
        say("\n")
    }
}
