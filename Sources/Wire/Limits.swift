/// The limits of the contract. Whoever receives more refuses it, and says so.
public enum Limits {
    public static let messageBytesMax = 4 << 20
    /// Fields of a message's body, those of lists one by one: leases of a worker that is full, and its stations, are
    /// far fewer.
    public static let bodyFieldCountMax = 1 << 17
    public static let contentBytesMax = 1 << 20
    public static let errorMessageBytesMax = 8 << 10
    public static let nameBytesMax = 200
    public static let keyBytesMax = 200
    /// Names of stations and workers: letters, digits, '.', '_' and '-'.
    public static let labelBytesMax = 64
    public static let pageItemCountMax = 256
    /// What a sender puts into one message of pages, leases, results or outcomes before it begins the next
    /// one.
    public static let batchBytesAim = 1 << 20
    public static let batchCountMax = 1_000
    /// Questions of one connection that wait for the same order.
    public static let watchCountMax = 64
    public static let orderItemCountMax = 1_000_000
    public static let openItemCountMax = 2_000_000
    public static let openBytesMax = 1 << 30
    public static let attemptsMax = 1_000
    /// The greatest `worker_deaths_max`.
    public static let workerDeathsMax = 1_000
    public static let priorityRange = -100...100
    public static let stationCountMax = 1_000
    /// Leases that one worker holds at once, all its stations together.
    public static let workerCapacityMax = 65_536
    /// A worker that holds so many unacknowledged results asks for no more work.
    public static let heldResultCountMax = 1_000
    public static let heldResultBytesMax = 64 << 20
    public static let fingerprintBytesRange = 8...64
}

/// What holds where nobody says otherwise.
public enum Defaults {
    public static let attemptTimeout = Duration.seconds(600)
    public static let attemptsMax = 3
    /// Workers that an item may end in a row before it is poisoned.
    public static let workerDeathsMax = 5
    public static let deadline = Duration.seconds(24 * 3600)
    public static let heartbeatInterval = Duration.milliseconds(500)
    public static let heartbeatLimit = 4
    /// The silence after which a worker is lost.
    public static let silenceMax = heartbeatInterval * heartbeatLimit
    /// The silence after which a worker or a producer gives its connection up and makes a new one.
    public static let assemblerSilenceMax = silenceMax * 3
    public static let ordersEndpoint = "tcp://127.0.0.1:5570"
    public static let kitchenEndpoint = "tcp://127.0.0.1:5571"
    public static let eventsEndpoint = "tcp://127.0.0.1:5572"
}

/// Names of stations and workers.
public enum Label {
    /// Whether `text` is 1 to 64 letters, digits, '.', '_' and '-' of ASCII.
    public static func isValid(_ text: String) -> Bool {
        (1...Limits.labelBytesMax).contains(text.utf8.count) && text.utf8.allSatisfy(isAllowed)
    }

    private static func isAllowed(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
