"""The journal: everything that was asked for, answered, observed and broken, a JSON object a line."""

import json
import threading
import time
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Journal:
    """Keeps records in memory, for the judge, and in a file, for people. Any thread may write."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.records: list[Record] = []
        self._lock = threading.Lock()
        self._lines = file.open("w", encoding="utf-8")

    def write(self, what: str, **fields: Any) -> Record:
        """Adds a record of the kind `what`. `at` is wall time in seconds, to the millisecond."""
        record = {"at": round(time.time(), 3), "what": what, **fields}
        with self._lock:
            self.records.append(record)
            if not self._lines.closed:
                self._lines.write(json.dumps(record) + "\n")
        return record

    def unexpected(self, message: str) -> None:
        """Something that must not be, whatever fault was about."""
        self.write("unexpected", message=message)

    def hung(self, message: str) -> None:
        """Something that did not end within its limit."""
        self.write("hung", message=message)

    def close(self) -> None:
        with self._lock:
            self._lines.close()
