import GRDB

/// The tables of a store and how they came to be.
enum Schema {
    /// Marks the file as a store of Tray: "Tray" in ASCII.
    static let applicationID: Int32 = 0x5472_6179
    /// The number of migrations; in the file's `user_version`.
    static let version = 2

    /// Those that every version has.
    static let tables = ["assembler_start", "tray_order", "item_page", "outcome_batch", "attempt"]

    /// Pages of a file whose making was interrupted before it had tables, at most: the first one, the map of pages that
    /// goes with `auto_vacuum`, and the table of migrations, with its index, that the migrator makes by itself.
    static let pageCountWithoutTables = 4

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for (identifier, sql) in migrations {
            migrator.registerMigration(identifier, foreignKeyChecks: .immediate) { try $0.execute(sql: sql) }
        }
        return migrator
    }

    /// Does what `migrator` does, which begins and commits transactions of its own, in the one that is open.
    static func migrate(withinTransaction database: Database) throws {
        let applied = try migrator.appliedIdentifiers(database)
        for (identifier, sql) in migrations where !applied.contains(identifier) {
            try database.execute(sql: sql)
            try database.execute(
                sql: "INSERT INTO grdb_migrations (identifier) VALUES (?)", arguments: [identifier])
        }
    }

    /// Each is rehearsed in memory at every start that has it before it, and done in one transaction: none may
    /// rewrite what grows with the store. Such a change comes in slices, between rounds (`tidy`).
    private static let migrations = [
        ("1", first),
        // An attempt is found by its item: losses are taken back one by one.
        (
            "2",
            """
            DROP INDEX attempt_by_order;
            CREATE INDEX attempt_by_item ON attempt (order_number, item_index, lease_number);
            PRAGMA user_version = 2;
            """
        ),
    ]

    /// `number` counts rows in the order of their commits. Blobs come last, so that a query for what stands
    /// before them does not read them. An order without an id is deleted: what is left of it goes in slices.
    private static let first = """
        CREATE TABLE assembler_start (
            incarnation INTEGER PRIMARY KEY,
            at_ms INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE tray_order (
            number INTEGER PRIMARY KEY,
            id BLOB UNIQUE,
            key TEXT UNIQUE,
            status INTEGER NOT NULL DEFAULT 0,
            is_sealed INTEGER NOT NULL DEFAULT 0,
            item_count INTEGER NOT NULL,
            accepted_at_ms INTEGER NOT NULL,
            cancel_requested_at_ms INTEGER,
            served_at_ms INTEGER,
            elapsed_us INTEGER,
            done_count INTEGER NOT NULL DEFAULT 0,
            failed_count INTEGER NOT NULL DEFAULT 0,
            cancelled_count INTEGER NOT NULL DEFAULT 0,
            expired_count INTEGER NOT NULL DEFAULT 0,
            poisoned_count INTEGER NOT NULL DEFAULT 0,
            served_checksum BLOB,
            checksum BLOB NOT NULL,
            fingerprint BLOB NOT NULL,
            spec BLOB NOT NULL
        ) STRICT;
        CREATE INDEX tray_order_running ON tray_order (number) WHERE status = 0;
        CREATE INDEX tray_order_by_status ON tray_order (status, id);
        CREATE INDEX tray_order_served ON tray_order (served_at_ms) WHERE status <> 0 AND id IS NOT NULL;
        CREATE INDEX tray_order_deleted ON tray_order (number) WHERE id IS NULL;

        CREATE TABLE item_page (
            number INTEGER PRIMARY KEY,
            order_number INTEGER NOT NULL REFERENCES tray_order ON DELETE CASCADE,
            first_index INTEGER NOT NULL,
            item_count INTEGER NOT NULL,
            checksum BLOB NOT NULL,
            body BLOB NOT NULL,
            UNIQUE (order_number, first_index)
        ) STRICT;

        CREATE TABLE outcome_batch (
            number INTEGER PRIMARY KEY,
            order_number INTEGER NOT NULL REFERENCES tray_order ON DELETE CASCADE,
            first_landing INTEGER NOT NULL,
            outcome_count INTEGER NOT NULL,
            head_checksum BLOB NOT NULL,
            body_checksum BLOB NOT NULL,
            head BLOB NOT NULL,
            body BLOB NOT NULL,
            UNIQUE (order_number, first_landing)
        ) STRICT;

        CREATE TABLE attempt (
            number INTEGER PRIMARY KEY,
            order_number INTEGER NOT NULL REFERENCES tray_order ON DELETE CASCADE,
            item_index INTEGER NOT NULL,
            is_lost INTEGER NOT NULL,
            attempt INTEGER NOT NULL,
            lease_incarnation INTEGER NOT NULL,
            lease_number INTEGER NOT NULL,
            is_alone INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            worker TEXT NOT NULL,
            instance BLOB NOT NULL,
            checksum BLOB NOT NULL,
            error BLOB NOT NULL
        ) STRICT;
        CREATE INDEX attempt_by_order ON attempt (order_number);
        PRAGMA user_version = 1;
        """
}
