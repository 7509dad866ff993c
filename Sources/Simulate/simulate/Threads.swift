import Dispatch
import Foundation

enum Threads {
    /// Calls `work` on so many threads, this one among them, and waits for all. (`concurrentPerform` may decide for
    /// one thread.)
    static func run(_ count: Int, _ work: @escaping @Sendable () -> Void) {
        let others = DispatchGroup()
        for _ in 1..<max(1, count) {
            others.enter()
            Thread.detachNewThread {
                work()
                others.leave()
            }
        }
        work()
        others.wait()
    }
}
