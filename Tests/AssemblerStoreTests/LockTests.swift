import AssemblerStore
import Foundation
import GRDB
import Testing

@Suite("The lock that the kernel holds on a store's file")
struct LockTests {
    /// What another program finds that wants the file for itself, as it does before it takes the log for its own.
    private static func takeAlone(_ path: String) -> Int32 {
        var configuration = Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
        do {
            let connection = try DatabaseQueue(path: path, configuration: configuration)
            try connection.write { try $0.execute(sql: "UPDATE assembler_start SET at_ms = at_ms") }
            try connection.close()
            return EXIT_SUCCESS
        } catch DatabaseError.SQLITE_BUSY {
            return EX_TEMPFAIL
        } catch {
            return EXIT_FAILURE
        }
    }

    private func expectHeld(_ path: String, _ sourceLocation: SourceLocation = #_sourceLocation) async {
        await #expect(processExitsWith: .exitCode(75), sourceLocation: sourceLocation) {
            [path = path as String] in
            exit(LockTests.takeAlone(path))
        }
    }

    private func expectFree(_ path: String) async {
        await #expect(processExitsWith: .success) { [path = path as String] in
            exit(LockTests.takeAlone(path))
        }
    }

    @Test("is held from the start to the stop", arguments: ["made", "copied", "killed"])
    func held(state: String) async throws {
        let kitchen =
            switch state {
            case "copied": try Kitchen.copied(after: Sample.accept(1))
            case "killed": try Kitchen.killed(after: Sample.accept(1), and: Sample.accept(2))
            default: try Kitchen()
            }
        let store = try kitchen.open()
        await expectHeld(kitchen.path)
        try store.commit(Sample.accept(7))
        await expectHeld(kitchen.path)
        try store.close()
        await expectFree(kitchen.path)
    }

    @Test("is held after others in the process have looked at the file")
    func heldBesideReaders() async throws {
        let kitchen = try Kitchen()
        let store = try kitchen.open()
        try store.commit(Sample.accept(1))
        #expect(try Store.verify(path: kitchen.path).isSound)
        await expectHeld(kitchen.path)
        #expect(throws: StoreError.locked(path: kitchen.path, processID: getpid())) {
            try Store.open(path: kitchen.path)
        }
        await expectHeld(kitchen.path)
        try store.commit(Sample.accept(2))
        try store.close()
        await expectFree(kitchen.path)
    }

    @Test("is held after a start that did not get through was tried again")
    func heldAfterRetry() async throws {
        let kitchen = try Kitchen.copied(after: Sample.accept(1))
        let store = try Store.open(path: kitchen.path)
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: kitchen.path, configuration: configuration)
        try other.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
        let error = #expect(throws: StoreError.self) { try store.begin(at: Sample.now) }
        guard case .busy = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try store.standing().runningOrderCount == 1)
        try other.inDatabase { try $0.execute(sql: "ROLLBACK") }
        try other.close()
        #expect(try store.begin(at: Sample.now).orders.count == 1)
        await expectHeld(kitchen.path)
        try store.close()
    }
}
