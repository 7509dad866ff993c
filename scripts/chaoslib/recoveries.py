"""How long it takes until work goes on after a fault: from the assembler's events, and from orders sent as probes."""

import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .journal import Journal

Slot = tuple[str, int]
GIVEN_UP_SECONDS = 30.0  # whoever held nothing that is leased again is not waited for
_SUFFIX = re.compile(r"(worker-[a-z]).*")  # of two workers of one name the second is shown with a number


@dataclass
class _Release:
    """Waits for one of these items to be leased again."""

    of: str
    worker: str
    since: float
    slots: set[Slot]


@dataclass
class _Lease:
    """Waits for one of these workers, all of them cut off, to join and be leased to."""

    of: str
    workers: set[str]
    since: float
    joined: set[str]


class Recoveries:
    """Journals a `recovery` (`of`, `seconds`, `since`) for each that is seen. Resolution: a millisecond.

    `probe` submits an order of one item, past the proxy or through it, and returns when its receipt was read; `False` where
    there was none.
    """

    def __init__(self, journal: Journal, probe: Callable[[bool], bool]) -> None:
        self._journal, self._probe = journal, probe
        self._lock = threading.Lock()
        self._holders: dict[Slot, str] = {}
        self._incarnation = ""
        self._releases: list[_Release] = []
        self._leases: list[_Lease] = []
        self._probes: list[threading.Thread] = []

    # What is waited for

    def expect_release(self, of: str, worker: str, since: float) -> None:
        with self._lock:
            slots = {slot for slot, holder in self._holders.items() if holder == worker}
            self._releases.append(_Release(of, worker, since, slots))

    def expect_lease(self, of: str, workers: list[str], since: float) -> None:
        with self._lock:
            self._leases.append(_Lease(of, set(workers), since, set()))

    def expect_receipt(self, of: str, direct: bool = True) -> None:
        """From now to the receipt of an order that begins its way now."""
        since = time.time()

        def run() -> None:
            if self._probe(direct):
                self._note(of, since, time.time())

        thread = threading.Thread(target=run, name="probe", daemon=True)
        self._probes.append(thread)
        thread.start()

    def wait_for_probes(self) -> None:
        for thread in self._probes:
            thread.join(timeout=60)

    def _note(self, of: str, since: float, until: float) -> None:
        self._journal.write("recovery", of=of, since=round(since, 3), seconds=round(max(until - since, 0), 3))

    # What is seen

    def take(self, event: dict[str, Any]) -> None:
        """An event, in the order in which the assembler told them."""
        data, kind = event["data"], event["type"]
        at = datetime.fromisoformat(event["time"]).timestamp()
        with self._lock:
            self._note_incarnation(event["id"].split("-")[0])
            if kind == "tray.item.leased":
                self._take_lease((data["order"], data["index"]), _plain(data["worker"]), at)
            elif kind == "tray.worker.joined":
                for each in self._leases:
                    if at >= each.since and _plain(data["worker"]) in each.workers:
                        each.joined.add(_plain(data["worker"]))
            elif kind == "tray.attempt.lost":
                self._holders.pop((data["order"], data["index"]), None)
            elif kind in ("tray.item.settled", "tray.attempt.failed"):
                self._holders.pop((data["order"], data["index"]), None)
                for release in self._releases:
                    release.slots.discard((data["order"], data["index"]))
            self._releases = [each for each in self._releases if at < each.since + GIVEN_UP_SECONDS]
            self._leases = [each for each in self._leases if at < each.since + GIVEN_UP_SECONDS]

    def _note_incarnation(self, incarnation: str) -> None:
        """With another assembler every session is another one, whether or not we were there when it began."""
        if incarnation != self._incarnation:
            self._incarnation = incarnation
            for each in self._leases:
                each.joined |= each.workers

    def _take_lease(self, slot: Slot, worker: str, at: float) -> None:
        self._holders[slot] = worker
        for release in list(self._releases):
            if at < release.since:
                if worker == release.worker:
                    release.slots.add(slot)
            elif slot in release.slots:
                self._note(release.of, release.since, at)
                self._releases.remove(release)
        for lease in list(self._leases):
            if worker in lease.joined:
                self._note(lease.of, lease.since, at)
                self._leases.remove(lease)


def listen(events: Iterable[dict[str, Any]], journal: Journal, recoveries: Recoveries) -> None:
    """Takes every event of a `producer events --json` until it ends."""
    for event in events:
        journal.write("event", event={key: event[key] for key in ("id", "type", "time", "data")})
        recoveries.take(event)


def _plain(worker: str) -> str:
    return _SUFFIX.sub(r"\1", worker)
