"""The saboteur: a schedule of faults that the seed decides, and how each is begun and ended."""

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from .disk import Disk
from .journal import Journal
from .recoveries import Recoveries
from .shop import Service, Shop

# The deck that is dealt, shuffled, again and again: every fault has its turn within a minute.
DECK = {
    "worker killed": 6,
    "worker frozen": 5,
    "worker restarted": 2,
    "guardian killed": 2,
    "worker and guardian killed": 1,
    "assembler killed": 3,
    "assembler frozen": 2,
    "assembler restarted": 1,
    "assembler away": 1,
    "worker cut off": 2,
    "all workers cut off": 1,
    "worker delayed": 2,
    "worker half-open": 2,
    "producer cut off": 1,
    "all producers cut off": 1,
    "producers delayed": 1,
    "producers half-open": 1,
    "disk full": 1,
    "disk nearly full": 1,
}
# The others are over at once.
LASTING = ("frozen", "delayed", "half-open", "disk", "away")
QUIET_SECONDS = 2.0  # at the beginning
# How long a fault can be felt after its end: reconnecting, restoring, a probe's way.
AFTERMATH_SECONDS = 3.0


@dataclass(frozen=True)
class Fault:
    at: float  # seconds from the start of the run
    kind: str
    seconds: float  # that it lasts; 0 where it is over at once
    choice: float  # from 0 to 1: who is hit, and how badly


def schedule(rng: random.Random, seconds: float) -> list[Fault]:
    """The same for the same seed and time. Faults come in bursts, with pauses between them that let one be seen alone."""
    faults: list[Fault] = []
    at = QUIET_SECONDS
    while True:
        deck = [kind for kind, count in DECK.items() for _ in range(count)]
        rng.shuffle(deck)
        for kind in deck:
            at += rng.uniform(2, 5) if rng.random() < 0.3 else rng.expovariate(1 / 0.5)
            if at >= seconds:
                return faults
            longest = 6.0 if rng.random() < 0.5 else 1.8  # beyond the heartbeat limit of two seconds, or below
            lasts = round(rng.uniform(0.1, longest), 3) if any(word in kind for word in LASTING) else 0.0
            faults.append(Fault(round(at, 3), kind, lasts, rng.random()))


class Saboteur:
    """Does what the schedule says. What cannot be done, because its victim is not there, is left out and noted."""

    def __init__(self, shop: Shop, disk: Disk | None, journal: Journal, recoveries: Recoveries, seed: int) -> None:
        self._shop, self._disk, self._journal, self._recoveries = shop, disk, journal, recoveries
        self._rng = random.Random(f"{seed} cuts")
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count(1)
        self._troubles: list[tuple[str, float, float]] = []  # kind, begin, end in wall time; infinite while it lasts
        self._disk_fault_count = 0
        self._lock = threading.Lock()

    def run(self, faults: list[Fault], seconds: float, look: Callable[[], None]) -> None:
        """Returns after so many seconds, with every fault ended. `look` is called every few milliseconds."""
        begin = time.monotonic()
        for fault in faults:
            self._plan(begin + fault.at, lambda fault=fault: self._begin(fault))  # type: ignore[misc]
        while True:
            now = time.monotonic()
            is_over = now >= begin + seconds
            while self._agenda and (self._agenda[0][0] <= now or is_over):
                heapq.heappop(self._agenda)[2]()
            if is_over:
                return
            look()
            time.sleep(0.01)

    def was_trouble(self, begin: float, end: float, *words: str) -> bool:
        """Whether a fault whose kind has one of these words could be felt between these wall times."""
        with self._lock:
            return any(
                fault_begin <= end and fault_end + AFTERMATH_SECONDS >= begin
                for kind, fault_begin, fault_end in self._troubles
                if any(word in kind for word in words)
            )

    def _plan(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at, next(self._count), action))

    # What faults are made of

    def _begin(self, fault: Fault) -> None:
        worker = self._shop.workers[int(fault.choice * len(self._shop.workers))]
        match fault.kind.split():
            case ["worker", "killed"]:
                self._now(fault, worker.name, lambda: self._kill_worker(worker))
            case ["worker", "and", "guardian", "killed"]:
                self._now(fault, worker.name, lambda: self._shop.kill_guardian(worker) and self._kill_worker(worker))
            case ["guardian", "killed"]:
                self._now(fault, worker.name, lambda: self._shop.kill_guardian(worker))
            case ["worker", "restarted"]:
                self._now(fault, worker.name, lambda: self._shop.ask_to_stop(worker))
            case ["worker", "frozen"]:
                self._freeze(fault, worker, "worker frozen" if fault.seconds > 2.5 else None)
            case ["assembler", "killed"]:
                self._now(fault, "", lambda: self._kill_assembler(0))
            case ["assembler", "away"]:
                self._take_assembler_away(fault)
            case ["assembler", "restarted"]:
                self._now(fault, "", lambda: self._shop.ask_to_stop(self._shop.assembler))
            case ["assembler", "frozen"]:
                self._freeze(fault, self._shop.assembler, None)
            case ["disk", *_]:
                self._fill_disk(fault)
            case _:
                self._disturb_connections(fault, worker)

    def _note(self, fault: Fault, target: str) -> int:
        """Writes down that it begins; its number."""
        record = self._journal.write("fault", kind=fault.kind, target=target, seconds=fault.seconds)
        with self._lock:
            self._troubles.append((fault.kind, record["at"], float("inf")))
            return len(self._troubles) - 1

    def _note_end(self, number: int) -> None:
        with self._lock:
            kind, begin, _ = self._troubles[number]
            record = self._journal.write("healed", kind=kind, began_at=begin)
            self._troubles[number] = (kind, begin, record["at"])

    def _left_out(self, fault: Fault, target: str) -> None:
        self._journal.write("left out", kind=fault.kind, target=target)

    def _now(self, fault: Fault, target: str, action: Callable[[], object]) -> None:
        """A fault without a duration."""
        number = self._note(fault, target)
        if not action():
            self._left_out(fault, target)
        self._note_end(number)

    def _for_a_while(self, fault: Fault, target: str, begin: Callable[[], None], end: Callable[[], None]) -> None:
        number = self._note(fault, target)
        begin()

        def heal() -> None:
            end()
            self._note_end(number)

        self._plan(time.monotonic() + fault.seconds, heal)

    def _kill_worker(self, worker: Service) -> bool:
        at = time.time()
        if not self._shop.kill(worker):
            return False
        self._recoveries.expect_release("worker killed: an item of it is leased again", worker.name, at)
        return True

    def _kill_assembler(self, seconds_away: float) -> bool:
        if not self._shop.kill(self._shop.assembler):
            return False
        self._shop.assembler.down_until = time.monotonic() + seconds_away
        if seconds_away == 0:
            self._recoveries.expect_receipt("assembler killed: first receipt")
        return True

    def _take_assembler_away(self, fault: Fault) -> None:
        """It is killed, and nobody starts it for a while: until then the fault lasts."""
        number = self._note(fault, "")
        if not self._kill_assembler(fault.seconds):
            self._left_out(fault, "")
            return self._note_end(number)
        return self._plan(time.monotonic() + fault.seconds, lambda: self._note_end(number))

    def _freeze(self, fault: Fault, service: Service, recovery: str | None) -> None:
        at = time.time()
        pid = self._shop.freeze(service)
        if pid is None:
            return self._left_out(fault, service.name)
        if recovery:
            self._recoveries.expect_release("worker frozen (limit 2 s): an item of it is leased again", service.name, at)

        def thaw() -> None:
            self._shop.thaw(service, pid)
            if service is self._shop.assembler:
                self._recoveries.expect_receipt("assembler thawed: first receipt")

        return self._for_a_while(fault, service.name, lambda: None, thaw)

    def _disturb_connections(self, fault: Fault, worker: Service) -> None:
        ways = self._shop.kitchen_ways
        way = self._shop.orders_way if "producer" in fault.kind else ways[worker.name]
        delay = 0.005 + 0.495 * fault.choice**2
        match fault.kind:
            case "worker cut off" | "all workers cut off":
                victims = list(ways) if fault.kind.startswith("all") else [worker.name]
                at = time.time()
                for name in victims:
                    ways[name].cut_all()
                self._recoveries.expect_lease("workers cut off: one of them is leased to again", victims, at)
                self._now(fault, " ".join(victims), lambda: True)
            case "producer cut off":
                self._now(fault, "", lambda: way.cut_one(self._rng) or True)
            case "all producers cut off":
                self._now(fault, "", lambda: way.cut_all() or True)
                self._recoveries.expect_receipt("producers cut off: first receipt on the same way", direct=False)
            case "worker delayed" | "producers delayed":
                target = f"{way.name} {delay * 1000:.0f} ms"
                self._for_a_while(fault, target, lambda: way.set_delay(delay), lambda: way.set_delay(0))
            case "worker half-open" | "producers half-open":
                self._for_a_while(fault, way.name, way.swallow, way.reset_swallowing)
            case _:
                raise ValueError(fault.kind)

    def _fill_disk(self, fault: Fault) -> None:
        disk = self._disk
        if disk is None:
            return self._left_out(fault, "")
        left = 0 if fault.kind == "disk full" else 4

        def begin() -> None:
            self._disk_fault_count += 1
            self._shop.is_disk_short = True
            disk.fill(left)

        def end() -> None:
            self._disk_fault_count -= 1
            if self._disk_fault_count > 0:
                return
            disk.make_room()
            self._recoveries.expect_receipt("disk freed: first receipt")
            # An assembler that found no room may still be on its way out.
            self._plan(time.monotonic() + 1, self._forgive_no_more)

        return self._for_a_while(fault, f"{left} MiB left", begin, end)

    def _forgive_no_more(self) -> None:
        self._shop.is_disk_short = self._disk_fault_count > 0
