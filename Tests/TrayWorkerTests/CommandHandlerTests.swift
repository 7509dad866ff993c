import Foundation
import Glibc
import Testing
import TrayWorker
import Wire

@Suite("Commands, with real processes", .timeLimit(.minutes(1)))
struct CommandHandlerTests {
    // MARK: What a command gets

    @Test("the payload stands on standard input, and its output is the result as text")
    func standardInput() async throws {
        let command = try CommandHandler(["cat"])
        #expect(await command.run(attempt(.text("grüße\n"))) == .done(.text("grüße\n")))
    }

    @Test("the payload stands for every {payload}, inside of an argument too, without a shell")
    func placeholders() async throws {
        let command = try CommandHandler(["printf", "%s|%s|%s", "{payload}", "--in={payload}.txt", "plain"])
        #expect(
            await command.run(attempt(.text("a b; $(rm)")))
                == .done(.text("a b; $(rm)|--in=a b; $(rm).txt|plain")))
    }

    @Test(
        "a JSON string is given as its characters, other JSON compact",
        arguments: [
            (#""a \"b\" \u00e9""#, #"a "b" é"#),
            (#"{ "a" : [1, 2.50], "b c": "x \" y" }"#, #"{"a":[1,2.50],"b c":"x \" y"}"#),
            (" 3 ", "3"), ("null", "null"),
        ])
    func jsonPayload(json: String, expected: String) async throws {
        #expect(
            await (try CommandHandler(["printf", "%s", "{payload}"])).run(attempt(.json(json)))
                == .done(.text(expected)))
        #expect(await (try CommandHandler(["cat"])).run(attempt(.json(json))) == .done(.text(expected)))
    }

    @Test("bytes that are no text pass through arguments, input and output as they are")
    func rawBytes() async throws {
        let bytes: [UInt8] = [0x66, 0xff, 0xfe, 0x20]
        #expect(await (try CommandHandler(["cat"])).run(attempt(.bytes(bytes))) == .done(.bytes(bytes)))
        #expect(
            await (try CommandHandler(["printf", "%s", "{payload}"])).run(attempt(.bytes(bytes)))
                == .done(.bytes(bytes)))
    }

    @Test("a NUL byte cannot be an argument: a permanent failure that says so, while standard input takes it")
    func nulByte() async throws {
        let outcome = await (try CommandHandler(["printf", "{payload}"])).run(attempt(.bytes([1, 0, 2])))
        #expect(
            outcome
                == .failed(
                    message:
                        "the payload has a NUL byte, which no argument can carry: "
                        + "read it from standard input instead",
                    isPermanent: true))
        #expect(
            await (try CommandHandler(["cat"])).run(attempt(.bytes([1, 0, 2])))
                == .done(.text("\u{1}\0\u{2}")))
    }

    @Test("a payload too long for an argument fails for good, and says what to do")
    func longArgument() async throws {
        let payload = Content.text(String(repeating: "x", count: 1 << 20))
        let outcome = await (try CommandHandler(["printf", "{payload}"])).run(attempt(payload))
        #expect(
            outcome
                == .failed(
                    message: "the payload of 1048576 bytes is too long for an argument of printf: "
                        + "read it from standard input instead",
                    isPermanent: true))
    }

    @Test("the environment names order, item, station, attempt and lease")
    func environment() async throws {
        let command = try shell("echo $TRAY_ORDER $TRAY_ITEM $TRAY_STATION $TRAY_ATTEMPT $TRAY_LEASE")
        let order = OrderID(high: 1, low: 2)
        #expect(await command.run(attempt(number: 2)) == .done(.text("\(order) 4 grill 2 3-17\n")))
    }

    @Test("a program that does not read its input is no failure")
    func unreadInput() async throws {
        let payload = Content.bytes([UInt8](repeating: 7, count: 1 << 20))
        #expect(await (try shell("exec <&-; echo fine")).run(attempt(payload)) == .done(.text("fine\n")))
        #expect(await (try CommandHandler(["true"])).run(attempt(payload)) == .done(.text("")))
    }

    // MARK: How it ends

    @Test("exit 65 is a permanent failure, with the end of standard error as its message")
    func permanentFailure() async throws {
        #expect(
            await (try shell("echo half; echo ' no such dish ' >&2; exit 65")).run(attempt())
                == .failed(message: "no such dish", isPermanent: true))
    }

    @Test("any other exit code is a failure")
    func failure() async throws {
        #expect(
            await (try shell("echo burnt >&2; exit 3")).run(attempt())
                == .failed(message: "burnt", isPermanent: false))
        #expect(
            await (try shell("exit 7")).run(attempt())
                == .failed(message: "exit code 7, and nothing on standard error", isPermanent: false))
    }

    @Test("a crash names its signal (FM-42)")
    func crash() async throws {
        #expect(
            await (try shell("echo hot >&2; kill -SEGV $$")).run(attempt())
                == .failed(message: "ended by SIGSEGV: hot", isPermanent: false))
        #expect(
            await (try shell("kill -KILL $$")).run(attempt())
                == .failed(message: "ended by SIGKILL", isPermanent: false))
    }

    @Test("of a long standard error the last 2 KiB are kept, from a whole character on")
    func longStandardError() async throws {
        let script = """
            head -c 300000 /dev/zero | tr '\\0' x >&2
            i=0; while [ $i -lt 1500 ]; do printf é >&2; i=$((i+1)); done
            printf . >&2; exit 1
            """
        let outcome = await (try shell(script)).run(attempt())
        #expect(outcome == .failed(message: String(repeating: "é", count: 1_023) + ".", isPermanent: false))
    }

    @Test(
        "output up to the limit is a result; beyond it the program is ended, and the failure says the limit")
    func outputLimit() async throws {
        let fits = await (try shell("head -c 100000 /dev/zero | tr '\\0' x")).run(
            attempt(resultBytesMax: 100_000))
        #expect(fits == .done(.text(String(repeating: "x", count: 100_000))))
        let started = ContinuousClock.now
        let endless = await (try shell("exec yes")).run(attempt(resultBytesMax: 100_000))
        #expect(endless == .failed(message: "the output of sh exceeds 100000 bytes", isPermanent: true))
        #expect(ContinuousClock.now - started < .seconds(30))
    }

    @Test("with `output: json` the result is one JSON value, or a failure")
    func jsonOutput() async throws {
        #expect(
            await (try shell(#"echo '{ "a": 1.50 }'"#, output: .json)).run(attempt())
                == .done(.json(#"{"a":1.50}"#)))
        #expect(await (try shell("echo 3", output: .json)).run(attempt()) == .done(.json("3")))
        for script in ["echo '{'", "echo 1 2", ":", "printf '\\377'"] {
            #expect(
                await (try shell(script, output: .json)).run(attempt())
                    == .failed(message: "the output of sh is not one JSON value", isPermanent: false))
        }
    }

    // MARK: How it is stopped

    @Test("a cancelled command gets SIGTERM, and its group with it")
    func cancelled() async throws {
        let folder = try Folder()
        let script = """
            trap 'echo got it > \(folder.path)/term; exit 0' TERM
            sleep 60 & echo $! > \(folder.path)/child
            wait
            """
        let command = try shell(script, grace: .seconds(2))
        let running = Task { await command.run(attempt()) }
        let child = try await folder.wait(for: "child")
        #expect(isAlive(child))
        running.cancel()
        #expect(await running.value == .failed(message: "stopped before it ended", isPermanent: false))
        #expect(folder.read("term") == "got it\n")
        #expect(!isAlive(child))
    }

    @Test("what ignores SIGTERM is killed after the grace, children too")
    func stubborn() async throws {
        let folder = try Folder()
        let script = """
            trap '' TERM
            sh -c 'while :; do sleep 1; done' & echo $! > \(folder.path)/child
            while :; do sleep 1; done
            """
        let command = try shell(script, grace: .milliseconds(200))
        let running = Task { await command.run(attempt()) }
        let child = try await folder.wait(for: "child")
        let cancelledAt = ContinuousClock.now
        running.cancel()
        _ = await running.value
        #expect(ContinuousClock.now - cancelledAt > .milliseconds(200))
        // The script never ends by itself; the limit leaves room for a busy machine.
        #expect(ContinuousClock.now - cancelledAt < .seconds(20))
        #expect(!isAlive(child))
    }

    @Test("the program and what it has started have one grace together, whoever has to be killed for it")
    func oneGrace() async throws {
        let folder = try Folder()
        let script =
            "trap '' TERM; sh -c 'while :; do sleep 1; done' & echo $! > \(folder.path)/child; wait; wait"
        let command = try shell(script, grace: .seconds(2))
        let running = Task { await command.run(attempt()) }
        let child = try await folder.wait(for: "child")
        let cancelledAt = ContinuousClock.now
        running.cancel()
        _ = await running.value
        #expect(ContinuousClock.now - cancelledAt < .seconds(3.5))
        #expect(!isAlive(child))
    }

    @Test("what is abandoned while it is being ended is killed at once, children too")
    func abandoned() async throws {
        let folder = try Folder()
        let script =
            "trap '' TERM; sh -c 'while :; do sleep 1; done' & echo $! > \(folder.path)/child; wait; wait"
        let command = try shell(script, grace: .seconds(60))
        let running = Task { await command.run(attempt()) }
        let child = try await folder.wait(for: "child")
        running.cancel()
        try await Task.sleep(for: .milliseconds(300))
        #expect(isAlive(child))
        command.abandon()
        _ = await running.value
        #expect(!isAlive(child))
    }

    @Test("a child that outlives its program's SIGTERM has the grace to end, and is killed after it")
    func stubbornChild() async throws {
        let folder = try Folder()
        let script = """
            (trap '' TERM; while :; do sleep 1; done) & echo $! > \(folder.path)/child
            wait
            """
        let command = try shell(script, grace: .milliseconds(300))
        let running = Task { await command.run(attempt()) }
        let child = try await folder.wait(for: "child")
        running.cancel()
        _ = await running.value
        #expect(!isAlive(child))
    }

    @Test("a child that keeps the pipes open neither delays the result nor survives it")
    func childWithPipes() async throws {
        let folder = try Folder()
        let command = try shell("sleep 60 & echo $! > \(folder.path)/child; echo done")
        let started = ContinuousClock.now
        #expect(await command.run(attempt()) == .done(.text("done\n")))
        #expect(ContinuousClock.now - started < .seconds(30))
        #expect(!isAlive(folder.read("child")?.trimmingCharacters(in: .newlines) ?? "1"))
    }

    @Test("cancelled before it starts, a command does not run on")
    func cancelledEarly() async throws {
        let command = try CommandHandler(["sleep", "60"])
        let started = ContinuousClock.now
        let running = Task { await command.run(attempt()) }
        running.cancel()
        #expect(await running.value == .failed(message: "stopped before it ended", isPermanent: false))
        #expect(ContinuousClock.now - started < .seconds(30))
    }

    @Test("many commands at once keep their results apart")
    func many() async throws {
        let command = try CommandHandler(["printf", "%s", "{payload}"])
        let outcomes = await withTaskGroup(of: (Int, HandlerOutcome).self) { group in
            for number in 0..<100 {
                group.addTask { (number, await command.run(attempt(.text("\(number)")))) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for number in 0..<100 { #expect(outcomes[number] == .done(.text("\(number)"))) }
    }

    // MARK: Whether it can start

    @Test("a program that is missing, or cannot be run, is named at once")
    func missing() throws {
        let folder = try Folder()
        #expect(FileManager.default.createFile(atPath: "\(folder.path)/plain", contents: nil))
        #expect(throws: CommandError.notFound("no-such-program")) { try CommandHandler(["no-such-program"]) }
        #expect(throws: CommandError.notFound("/no/such")) { try CommandHandler(["/no/such"]) }
        #expect(throws: CommandError.notFound("plain")) {
            try CommandHandler(["plain"], searchPath: folder.path)
        }
        #expect(throws: CommandError.notFound(folder.path)) { try CommandHandler([folder.path]) }
        #expect(throws: CommandError.empty) { try CommandHandler([]) }
        #expect(throws: CommandError.payloadAsProgram) { try CommandHandler(["{payload}"]) }
        #expect(throws: CommandError.nul) { try CommandHandler(["echo", "a\0b"]) }
    }

    @Test("a program that went away since the start is a failure of the attempt")
    func wentAway() async throws {
        let folder = try Folder()
        let path = "\(folder.path)/program"
        try FileManager.default.copyItem(atPath: "/bin/true", toPath: path)
        let command = try CommandHandler([path])
        #expect(await command.run(attempt()) == .done(.text("")))
        try FileManager.default.removeItem(atPath: path)
        guard case .failed(let message, false) = await command.run(attempt()) else {
            Issue.record("not a failure")
            return
        }
        #expect(message.hasPrefix("cannot run \(path): "))
    }

    /// One after the other: whose child an orphan becomes is a matter of the whole process.
    @Suite("where orphans are this process's own, as in a container", .serialized)
    struct Orphans {
        @Test("they are not waited for once they are dead")
        func stopped() async throws {
            try await inheriting { folder in
                let script = "sleep 60 & echo $! > \(folder.path)/child; exec sleep 60"
                let command = try shell(script, grace: .seconds(9))
                let running = Task { await command.run(attempt()) }
                let child = try await folder.wait(for: "child")
                let cancelledAt = ContinuousClock.now
                running.cancel()
                _ = await running.value
                #expect(ContinuousClock.now - cancelledAt < .seconds(8))
                #expect(!FileManager.default.fileExists(atPath: "/proc/\(child)"), "not even a zombie")
            }
        }

        @Test("those that a command leaves behind when it ends by itself are collected")
        func leftBehind() async throws {
            try await inheriting { folder in
                let command = try shell("sleep 60 & (sleep 60 & echo $! > \(folder.path)/child); echo done")
                #expect(await command.run(attempt()) == .done(.text("done\n")))
                let child = try await folder.wait(for: "child")
                #expect(!FileManager.default.fileExists(atPath: "/proc/\(child)"), "not even a zombie")
            }
        }

        private func inheriting(_ body: (Folder) async throws -> Void) async throws {
            try inheritOrphans(true)
            defer { #expect(throws: Never.self) { try inheritOrphans(false) } }
            try await body(try Folder())
        }

        /// `prctl(PR_SET_CHILD_SUBREAPER)`, which Swift does not import because it takes any number of arguments.
        private func inheritOrphans(_ inherits: Bool) throws {
            typealias Prctl = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
            let prctl = unsafeBitCast(try #require(dlsym(nil, "prctl")), to: Prctl.self)
            try #require(prctl(36, inherits ? 1 : 0, 0, 0, 0) == 0)
        }
    }
}
