import AssemblerStore
import Foundation
import Glibc
import Testing

@Suite("A store that was opened to be read")
struct StartTests {
    /// Begins with few descriptors left, and looks at what can be done afterwards.
    private static func beginShort(of path: String, descriptorCount: Int) throws -> Bool {
        let store = try Store.open(path: path)
        var (limit, whole) = (rlimit(), rlimit())
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &whole) == 0 else { return false }
        let next = dup(0)
        close(next)
        limit = whole
        limit.rlim_cur = rlim_t(Int(next) + descriptorCount)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let outcome = Result { try store.begin(at: Sample.now) }
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &whole)
        switch outcome {
        case .success: try store.close()
        case .failure(StoreError.full): return false
        case .failure(let error):
            // Who goes on reading can read.
            guard !"\(error)".contains("cannot be read again") else { break }
            guard try store.standing().runningOrderCount == 1 else { return false }
            guard try store.begin(at: Sample.now).orders.count == 1 else { return false }
            try store.close()
        }
        return try Store.verify(path: path).isSound
    }

    @Test(
        "goes on after a start that failed, or says that it cannot, and why the start did",
        arguments: 0...12, [true, false])
    func failedStart(descriptorCount: Int, isCopy: Bool) async throws {
        let kitchen = isCopy ? try Kitchen.copied(after: Sample.accept(1)) : try Kitchen()
        if !isCopy {
            let store = try kitchen.open()
            try store.commit(Sample.accept(1))
            try store.close()
        }
        await #expect(processExitsWith: .success) {
            [path = kitchen.path as String, descriptorCount = descriptorCount as Int] in
            let isFine = try StartTests.beginShort(of: path, descriptorCount: descriptorCount)
            exit(isFine ? EXIT_SUCCESS : EXIT_FAILURE)
        }
    }
}
