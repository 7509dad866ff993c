import Wire

/// An order and all of its slots, in submitted order, whatever order they finished in.
public struct TrayReport: Sendable {
    public var summary: OrderSummary
    /// Ascending by index, without gaps.
    public var items: [ReportItem]

    public init(summary: OrderSummary, items: [ReportItem]) {
        self.summary = summary
        self.items = items
    }
}

/// One slot of a report. A running order has `waiting` and `leased` ones, without an ending.
public struct ReportItem: Sendable {
    public var index: Int
    public var name: String
    public var station: String
    public var status: ItemStatus
    /// Attempts begun.
    public var attempts: Int
    /// Who ended it, or holds it now; `nil` where nobody does.
    public var worker: String?
    /// `nil` unless `done`.
    public var result: Content?
    /// `nil` unless it ended badly.
    public var error: ItemError?
    /// When the last attempt was leased; `nil` where there was none.
    public var startedAt: WallTime?
    /// `nil` until it is settled.
    public var finishedAt: WallTime?

    public init(
        index: Int, name: String, station: String, status: ItemStatus, attempts: Int, worker: String? = nil,
        result: Content? = nil, error: ItemError? = nil, startedAt: WallTime? = nil,
        finishedAt: WallTime? = nil
    ) {
        self.index = index
        self.name = name
        self.station = station
        self.status = status
        self.attempts = attempts
        self.worker = worker
        self.result = result
        self.error = error
        self.startedAt = startedAt
        self.finishedAt = finishedAt
    }
}
