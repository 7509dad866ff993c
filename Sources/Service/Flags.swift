/// Flags of a command line, as they stand there.
public enum Flags {
    /// The first flag that is given more than once; `nil` where none is. Which of the two was meant, nobody knows.
    ///
    /// - Parameter repeatable: flags that may be.
    public static func givenTwice(
        in arguments: some Sequence<String>, repeatable: Set<String> = []
    ) -> String? {
        var seen: Set<String> = []
        for argument in arguments {
            // What follows is no flag, whatever it looks like.
            guard argument != "--" else { return nil }
            guard argument.hasPrefix("--") else { continue }
            let flag = String(argument.prefix { $0 != "=" })
            guard seen.insert(flag).inserted || repeatable.contains(flag) else { return flag }
        }
        return nil
    }

    /// - Throws: `Failure` (`.usage`) where a flag is given more than once.
    public static func check(
        _ arguments: some Sequence<String> = CommandLine.arguments.dropFirst(), repeatable: Set<String> = []
    ) throws(Failure) {
        guard let flag = givenTwice(in: arguments, repeatable: repeatable) else { return }
        throw Failure(.usage, "\(flag) is given twice; give it once")
    }
}
