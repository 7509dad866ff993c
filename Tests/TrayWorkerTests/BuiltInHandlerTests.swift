import Testing
import TrayWorker
import Wire

@Suite("Built-in handlers")
struct BuiltInHandlerTests {
    @Test(
        "echo gives the payload back, its kind too",
        arguments: [.text("a"), .json("[1]"), .bytes([0, 255]), Content()])
    func echo(payload: Content) async {
        #expect(await EchoHandler().run(attempt(payload)) == .done(payload))
    }

    @Test(
        "sleep takes a mapping, a number or nothing",
        arguments: [
            (Content(), "0"), (.json("0"), "0"), (.json(#"{"seconds": 0.001}"#), "0.001"),
            (.text("0.002"), "0.002"),
            (.bytes("0".utf8), "0"),
        ])
    func sleepPayloads(payload: Content, seconds: String) async {
        #expect(await SleepHandler().run(attempt(payload)) == .done(.json("{\"seconds\":\(seconds)}")))
    }

    @Test(
        "sleep refuses for good what is no time",
        arguments: [
            "-1", "1e300", "true", "\"3\"", "{\"secs\":3}", "[]", "soon", "null", "{\"seconds\":null}",
        ])
    func sleepRefusals(json: String) async {
        #expect(
            await SleepHandler().run(attempt(.json(json)))
                == .failed(
                    message: "the payload of a sleep is {\"seconds\": N} or N, N from 0 to 100000000",
                    isPermanent: true))
    }

    @Test("sleep oversleeps by less than a millisecond, where the machine is free")
    func sleepPrecision() async {
        var excesses: [Duration] = []
        for _ in 0..<20 {
            let started = ContinuousClock.now
            _ = await SleepHandler().run(attempt(.json("0.05")))
            excesses.append(ContinuousClock.now - started - .milliseconds(50))
        }
        excesses.sort()
        #expect(excesses[0] >= .zero)
        #expect(excesses[0] < .milliseconds(1), "\(excesses)")
    }

    @Test("a cancelled sleep ends at once")
    func sleepCancelled() async {
        let sleeping = Task { await SleepHandler().run(attempt(.json("60"))) }
        sleeping.cancel()
        #expect(await sleeping.value == .failed(message: "stopped before it ended", isPermanent: false))
    }

    @Test(
        "fail fails as its payload says, and without one just so",
        arguments: [
            (#"{"message":"burnt"}"#, "burnt", false), (#"{"permanent":true}"#, "failed on purpose", true),
            ("{}", "failed on purpose", false), ("17", "failed on purpose", false),
            ("", "failed on purpose", false),
            (#"{"message":"no","permanent":true,"succeed_on_attempt":3}"#, "no", true),
        ])
    func fail(json: String, message: String, isPermanent: Bool) async {
        #expect(
            await FailHandler().run(attempt(.json(json), number: 2))
                == .failed(message: message, isPermanent: isPermanent))
    }

    @Test("fail succeeds from the attempt that its payload names")
    func failSucceeds() async {
        let payload = Content.json(#"{"succeed_on_attempt":2}"#)
        #expect(
            await FailHandler().run(attempt(payload, number: 1))
                == .failed(message: "failed on purpose", isPermanent: false))
        #expect(
            await FailHandler().run(attempt(payload, number: 2)) == .done(.text("succeeded on attempt 2")))
    }

    @Test("a closure's result, error and permanent failure become outcomes")
    func closure() async {
        struct Burnt: Error {}
        let handler = ClosureHandler { attempt in
            switch attempt.number {
            case 1: return .text(attempt.itemName)
            case 2: throw Burnt()
            default: throw PermanentFailure("never")
            }
        }
        #expect(await handler.run(attempt(number: 1)) == .done(.text("burger")))
        #expect(await handler.run(attempt(number: 2)) == .failed(message: "Burnt()", isPermanent: false))
        #expect(await handler.run(attempt(number: 3)) == .failed(message: "never", isPermanent: true))
    }
}
