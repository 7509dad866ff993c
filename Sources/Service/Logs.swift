import Logging

/// Logs of a process: one line per entry on standard error, metadata as `key=value` in the order of their
/// keys.
public enum Logs {
    /// `TRAY_LOG_LEVEL`.
    public static let level = Setting<Logger.Level>.choice("log_level", default: .info)

    /// Sends all loggers to standard error. Once per process, before the first logger is made.
    public static func bootstrap(level: Logger.Level) {
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
    }
}
