import Testing

@testable import Service

@Suite("Words and durations")
struct WordsTests {
    @Test(
        "durations are a number and a unit",
        arguments: [
            ("250ms", Duration.milliseconds(250)), ("3s", .seconds(3)), ("10m", .seconds(600)),
            ("24h", .seconds(86_400)), ("7d", .seconds(604_800)), ("1.5s", .milliseconds(1500)),
            ("0s", .zero),
            ("0.25ms", .microseconds(250)), ("0.000000001s", .nanoseconds(1)), ("1.5d", .seconds(129_600)),
        ])
    func durations(text: String, expected: Duration) {
        #expect(DurationText.parse(text) == expected)
    }

    @Test(
        "what is no duration is none",
        arguments: [
            "", "s", "5", "-3s", "+3s", "3 s", "3 parsecs", "1h30m", "1.s", ".5s", "1.2.3s", "٣s", "3S",
            "1e3s",
            "999999999999999h", "9223372037s", "0.0000000001s", "0.1234567ms",
        ])
    func notDurations(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(
        "the longest duration of a unit is taken, and named to whoever wants more",
        arguments: ["106752d", "2562048h", "99999999999s"])
    func longest(text: String) {
        #expect(DurationText.parse(text) == nil)
        #expect(
            DurationText.complaint(about: text)
                == "\"\(text)\" is too long a duration; 106751d is the longest that is taken")
        #expect(DurationText.parse("106751d") == .seconds(106_751 * 86_400))
    }

    @Test(
        "durations are written so that they can be read",
        arguments: [
            (Duration.milliseconds(250), "250ms"), (.seconds(3), "3s"), (.seconds(90), "90s"),
            (.seconds(600), "10m"),
            (.seconds(86_400), "24h"), (.seconds(604_800), "7d"), (.milliseconds(3002), "3.002s"),
            (.microseconds(250), "0.25ms"), (.zero, "0s"), (.seconds(-1), "0s"),
        ])
    func format(duration: Duration, expected: String) {
        #expect(DurationText.format(duration) == expected)
        #expect(DurationText.parse(expected) == max(duration, .zero))
    }

    @Test(
        "the nearest word is suggested, and none where none is near",
        arguments: [
            ("dedline", "deadline"), ("tiemout", "timeout"), ("Payload", "payload"),
            ("max_atempts", "max_attempts"),
            ("xylophone", nil), ("", nil),
        ] as [(String, String?)])
    func suggestions(word: String, expected: String?) {
        let known = ["name", "deadline", "timeout", "payload", "max_attempts"]
        #expect(NearestWord.suggestion(for: word, among: known) == expected)
        #expect(NearestWord.suggestion(for: word, among: []) == nil)
    }
}
