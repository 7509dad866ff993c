import Configuration
import Foundation

/// What an executable can be told by flag, environment variable or file, in this precedence.
public struct Setting<Value: Sendable>: Sendable {
    /// In files; `drain_timeout` is `--drain-timeout` as a flag and `TRAY_DRAIN_TIMEOUT` in the environment.
    public let key: String
    public let fallback: Value
    /// What errors say: "… is not \(requirement)".
    let requirement: String
    let decode: @Sendable (String) -> Value?
    /// What errors say of a value that is none; nil: "… is not \(requirement)".
    var complain: (@Sendable (String) -> String)?

    public init(
        _ key: String, default fallback: Value, requirement: String,
        decode: @escaping @Sendable (String) -> Value?
    ) {
        self.key = key
        self.fallback = fallback
        self.requirement = requirement
        self.decode = decode
    }

    /// One of the value's cases, by its raw value.
    public static func choice(_ key: String, default fallback: Value) -> Setting
    where Value: RawRepresentable<String> & CaseIterable {
        let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return Setting(key, default: fallback, requirement: "one of \(words)") { Value(rawValue: $0) }
    }
}

extension Setting<String> {
    /// Any text but the empty one.
    public static func text(_ key: String, default fallback: String) -> Setting {
        Setting(key, default: fallback, requirement: "a text of one character at least") {
            $0.isEmpty ? nil : $0
        }
    }
}

extension Setting<String?> {
    /// Any text but the empty one, or nothing.
    public static func optionalText(_ key: String) -> Setting {
        Setting(key, default: nil, requirement: "a text of one character at least") {
            $0.isEmpty ? nil : .some($0)
        }
    }
}

extension Setting<Int> {
    public static func count(_ key: String, in range: ClosedRange<Int>, default fallback: Int) -> Setting {
        let requirement = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return Setting(key, default: fallback, requirement: requirement) { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Setting<Bool> {
    public static func toggle(_ key: String, default fallback: Bool) -> Setting {
        Setting(key, default: fallback, requirement: "true or false") { Bool($0) }
    }
}

extension Setting<Duration> {
    /// - Parameter shortest: the least that is taken.
    public static func duration(
        _ key: String, default fallback: Duration, atLeast shortest: Duration = .zero
    ) -> Setting {
        var setting = Setting(key, default: fallback, requirement: DurationText.requirement) { text in
            DurationText.parse(text).flatMap { $0 >= shortest ? $0 : nil }
        }
        setting.complain = { text in
            guard DurationText.parse(text) == nil else {
                return
                    "\"\(PlainText.beginning(of: text))\" is too short; write \(DurationText.format(shortest)) or more"
            }
            return DurationText.complaint(about: text)
        }
        return setting
    }
}

/// The settings of one start: flag before environment before file before default.
public struct Settings {
    /// The file that was read, if any: for what nests deeper than settings do.
    public let document: Document?
    private let flags: [String: String]
    private let environment: [String: String]
    private let nodes: [String: DocumentNode]
    private let reader: ConfigReader

    /// Reads the file and collects flags and environment.
    ///
    /// An environment variable that is empty counts as not set.
    /// - Parameters:
    ///   - keys: Of all settings that the executable knows.
    ///   - nestedKeys: Keys of the file that the caller reads itself from `document`.
    ///   - flags: By key; those that were not given are left out.
    ///   - file: From `--config`; `nil`: the one that `TRAY_CONFIG` names, else `defaultFile`.
    ///   - defaultFile: Read where nobody names a file and it exists.
    /// - Throws: `Failure` (`.configuration`) where the file cannot be read or has a key that nobody knows.
    public init(
        keys: [String], nestedKeys: [String] = [], flags: [String: String] = [:], file: String? = nil,
        defaultFile: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(Failure) {
        self.flags = flags
        self.environment = environment.filter { !$0.value.isEmpty }
        let path = file ?? self.environment["TRAY_CONFIG"] ?? Settings.existing(defaultFile)
        do throws(DocumentError) {
            document = if let path { try Document.read(file: path) } else { nil }
            nodes = try Settings.nodes(of: document, keys: keys, nestedKeys: nestedKeys)
            reader = ConfigReader(providers: [
                Settings.provider("flags", values: flags),
                EnvironmentVariablesProvider(environmentVariables: self.environment),
                Settings.provider(path ?? "no file", values: try Settings.texts(of: nodes)),
            ])
        } catch {
            throw Failure(.configuration, error.description)
        }
    }

    /// The value of a setting.
    ///
    /// - Throws: `Failure` (`.usage` for a flag, else `.configuration`) that names the place of a wrong
    /// value.
    public func value<Value>(_ setting: Setting<Value>) throws(Failure) -> Value {
        guard let text = reader.string(forKey: Settings.configKey(setting.key)) else {
            return setting.fallback
        }
        guard let value = setting.decode(text) else {
            throw failure(
                at: setting.key,
                setting.complain?(text)
                    ?? "\"\(PlainText.beginning(of: text))\" is not \(setting.requirement)")
        }
        return value
    }

    /// A `Failure` that names where `key` was set, for checks that only the caller can make.
    public func failure(at key: String, _ message: String) -> Failure {
        if flags[key] != nil {
            return Failure(.usage, "--\(key.replacing("_", with: "-")): \(message)")
        }
        if environment[Settings.variable(key)] != nil {
            return Failure(.configuration, "\(Settings.variable(key)): \(message)")
        }
        return Failure(.configuration, nodes[key]?.error(message).description ?? "\(key): \(message)")
    }

    /// The environment variable of a setting.
    public static func variable(_ key: String) -> String { "TRAY_\(key.uppercased())" }

    private static func existing(_ file: String?) -> String? {
        file.flatMap { FileBytes.isThere($0) ? $0 : nil }
    }

    private static func nodes(
        of document: Document?, keys: [String], nestedKeys: [String]
    ) throws(DocumentError) -> [String: DocumentNode] {
        guard let document, !document.root.isNull else { return [:] }
        let mapping = try document.root.mapping(allowing: keys + nestedKeys)
        let settings = mapping.entries.filter { keys.contains($0.key) }
        return Dictionary(settings.map { ($0.key, $0.value) }) { first, _ in first }
    }

    private static func texts(of nodes: [String: DocumentNode]) throws(DocumentError) -> [String: String] {
        var texts: [String: String] = [:]
        for (key, node) in nodes { texts[key] = try node.text() }
        return texts
    }

    private static func provider(_ name: String, values: [String: String]) -> InMemoryProvider {
        let pairs = values.map { key, value in
            (AbsoluteConfigKey(configKey(key)), ConfigValue(.string(value), isSecret: false))
        }
        return InMemoryProvider(name: name, values: Dictionary(pairs) { first, _ in first })
    }

    private static func configKey(_ key: String) -> ConfigKey { ConfigKey(["tray", key]) }
}
