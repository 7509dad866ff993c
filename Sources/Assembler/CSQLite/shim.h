#include <sqlite3.h>

/// Whether closing the connection leaves the write-ahead log as it is: nothing is written into the file, nothing
/// removed. The function behind it is variadic, which Swift cannot call.
static inline int tray_keep_log_on_close(sqlite3 *connection, int is_kept) {
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_kept, (int *)0);
}
