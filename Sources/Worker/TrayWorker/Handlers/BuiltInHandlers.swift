import Foundation

/// Gives the payload back as it is.
public struct EchoHandler: Handler {
    public init() {}

    public func run(_ attempt: Attempt) async -> HandlerOutcome { .done(attempt.payload) }
}

/// Sleeps for as long as the payload says, and no longer: `{"seconds": 3}`, or `3`, or nothing at all.
///
/// Its result is the JSON value `{"seconds": 3}` with what it has slept.
public struct SleepHandler: Handler {
    /// A year, and some.
    static let secondsMax = 1e8

    public init() {}

    public func run(_ attempt: Attempt) async -> HandlerOutcome {
        guard let seconds = SleepHandler.seconds(of: attempt.payload) else {
            return .failedForGood(
                "the payload of a sleep is {\"seconds\": N} or N, N from 0 to \(Int(SleepHandler.secondsMax))"
            )
        }
        do {
            try await Task.sleep(for: .seconds(seconds), tolerance: .zero, clock: .continuous)
        } catch {
            return .stopped
        }
        return .done(.json("{\"seconds\":\(SleepHandler.text(seconds))}"))
    }

    private struct Payload: Decodable { let seconds: Double }

    package static func seconds(of payload: Content) -> Double? {
        guard !payload.data.isEmpty else { return 0 }
        let decoder = JSONDecoder()
        // Whatever the payload's kind: a line of `map` may be a number, too.
        let seconds =
            (try? decoder.decode(Double.self, from: payload.data))
            ?? (try? decoder.decode(Payload.self, from: payload.data))?.seconds
        guard let seconds, (0...secondsMax).contains(seconds) else { return nil }
        return seconds
    }

    private static func text(_ seconds: Double) -> String {
        seconds == seconds.rounded() ? String(Int(seconds)) : String(seconds)
    }
}

/// Fails on purpose, for trying things out.
///
/// The payload may be a mapping with `message`, `permanent` (true: not to be tried again) and
/// `succeed_on_attempt` (the number of the first attempt that does not fail); whatever else it is, the
/// handler just fails.
public struct FailHandler: Handler {
    public init() {}

    public func run(_ attempt: Attempt) async -> HandlerOutcome {
        // Nothing that can be wrong about a payload here: not to understand it is a failure as well.
        let payload = (try? JSONDecoder().decode(Payload.self, from: attempt.payload.data)) ?? Payload()
        if let first = payload.succeedOnAttempt, attempt.number >= first {
            return .done(.text("succeeded on attempt \(attempt.number)"))
        }
        return .failed(
            message: payload.message ?? "failed on purpose", isPermanent: payload.permanent ?? false)
    }

    private struct Payload: Decodable {
        var message: String?
        var permanent: Bool?
        var succeedOnAttempt: Int?

        enum CodingKeys: String, CodingKey {
            case message, permanent
            case succeedOnAttempt = "succeed_on_attempt"
        }
    }
}

/// Runs a closure: the handler of programs that use this library.
public struct ClosureHandler: Handler {
    private let body: @Sendable (Attempt) async throws -> Content

    /// - Parameter body: returns the result, or throws: a `PermanentFailure` is not tried again, any other
    ///   error is, with its description as the message.
    public init(_ body: @escaping @Sendable (Attempt) async throws -> Content) { self.body = body }

    public func run(_ attempt: Attempt) async -> HandlerOutcome {
        do {
            return .done(try await body(attempt))
        } catch let failure as PermanentFailure {
            return .failedForGood(failure.message)
        } catch {
            return .failed("\(error)")
        }
    }
}

/// A failure that another attempt would only repeat.
public struct PermanentFailure: Error, Sendable {
    public let message: String

    public init(_ message: String) { self.message = message }
}
