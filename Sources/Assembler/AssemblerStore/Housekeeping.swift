import AssemblerCore
import GRDB
import Wire

extension Store {
    /// A checkpoint is due after so many pages: 4 MiB.
    private static let loggedPageCountMax = 1_024
    /// Free pages that stay in the file for the next orders: 16 MiB.
    private static let freePageCountKept = 4_096
    /// What one transaction of housekeeping takes on.
    private static let vacuumedPageCount = 64
    private static let erasedRowCount = 16

    /// Deletes orders that ended before `limit`, the longest ended first.
    ///
    /// They are gone at once; the room that they take is given back by `tidy`.
    /// - Returns: How many; as many as `orderCountMax` means that there may be more.
    public func deleteEnded(before limit: WallTime, orderCountMax: Int) throws(StoreError) -> Int {
        cachedStatuses = nil
        let count = try perform { database in
            try database.cachedStatement(
                sql: """
                    UPDATE tray_order SET id = NULL, key = NULL WHERE number IN (
                        SELECT number FROM tray_order
                        WHERE status <> 0 AND served_at_ms < ? AND id IS NOT NULL
                        ORDER BY served_at_ms LIMIT ?)
                    """
            ).execute(arguments: [limit.milliseconds, orderCountMax])
            return database.changesCount
        }
        loggedPageCount += 4 * count
        return count
    }

    /// Housekeeping between rounds: a checkpoint when the log has grown, rows of deleted orders erased, and
    /// free pages given back to the file system.
    ///
    /// It begins no step once `budget` is over (5 ms are a good slice); a step is one small transaction.
    /// - Returns: Whether there is more to do.
    @discardableResult
    public func tidy(budget: Duration) throws(StoreError) -> Bool {
        let end = ContinuousClock.now + budget
        repeat {
            guard try takeStep() else { return false }
        } while ContinuousClock.now < end
        return true
    }

    /// - Returns: Whether there was anything to do.
    private func takeStep() throws(StoreError) -> Bool {
        if loggedPageCount >= Store.loggedPageCountMax {
            _ = try perform { try $0.checkpoint(.passive) }
            loggedPageCount = 0
            return true
        }
        if try eraseSlice() { return true }
        return try vacuumSlice()
    }

    /// Erases some rows of a deleted order, and the order itself with the last of them.
    private func eraseSlice() throws(StoreError) -> Bool {
        let erasedPageCount: Int? = try perform { database in
            let deleted = "SELECT number FROM tray_order WHERE id IS NULL ORDER BY number LIMIT 1"
            guard let number = try Int64.fetchOne(database.cachedStatement(sql: deleted)) else { return nil }
            for table in ["outcome_batch", "item_page", "attempt"] {
                try database.cachedStatement(
                    sql: """
                        DELETE FROM \(table) WHERE number IN (
                            SELECT number FROM \(table) WHERE order_number = ? LIMIT \(Store.erasedRowCount))
                        """
                ).execute(arguments: [number])
                if database.changesCount > 0 { return 4 * database.changesCount }
            }
            try database.cachedStatement(sql: "DELETE FROM tray_order WHERE number = ?").execute(arguments: [
                number
            ])
            return 4
        }
        loggedPageCount += erasedPageCount ?? 0
        return erasedPageCount != nil
    }

    private func vacuumSlice() throws(StoreError) -> Bool {
        let freePageCount = try perform { database in
            try Int.fetchOne(database.cachedStatement(sql: "PRAGMA freelist_count")) ?? 0
        }
        guard freePageCount > Store.freePageCountKept else { return false }
        try perform { try $0.execute(sql: "PRAGMA incremental_vacuum(\(Store.vacuumedPageCount))") }
        loggedPageCount += Store.vacuumedPageCount
        return true
    }
}
