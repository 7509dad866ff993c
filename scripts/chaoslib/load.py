"""Producers that submit continuously, in every manner, and readers that look at what became of the orders."""

import itertools
import json
import queue
import random
import threading
import time
from collections.abc import Callable

from .journal import Journal, Record
from .judge import ENDS
from .orders import Order, Shapes
from .shop import CRASH, Closed, Command, Shop

RUNNING_ORDERS_MAX = 60  # of those that nobody waits for; beyond it nobody submits
POISON_PAUSE_SECONDS = 25.0
READERS_COUNT = 2
READING_PAUSE_SECONDS = 1.5  # before an order is read first
REPEATS_MAX = 12  # of a submission that was refused or found no assembler
READING_TIMEOUT = "20s"


class Load:
    """Threads that submit until they are told to stop, and threads that read.

    `was_trouble(begin, end, *words)` says whether a fault could have been felt: it excuses the exit codes 69 and 75.
    """

    def __init__(
        self, shop: Shop, journal: Journal, seed: int, was_trouble: Callable[..., bool], customer_count: int
    ) -> None:
        self._shop, self._journal, self._was_trouble = shop, journal, was_trouble
        self._seed = seed
        self._numbers = itertools.count(1)
        self._is_over = threading.Event()
        # When (monotonic), after what pause, which.
        self._to_read: queue.PriorityQueue[tuple[float, float, str, str]] = queue.PriorityQueue()
        self._unended: set[str] = set()
        self._ended: set[str] = set()
        self._lock = threading.Lock()
        self._next_poison_at = time.monotonic() + 5
        self._customers = [self._thread(f"customer-{number}", self._submit_on, number) for number in range(customer_count)]
        self._readers = [self._thread(f"reader-{number}", self._read_on) for number in range(READERS_COUNT)]
        self._watchers: list[threading.Thread] = []

    def start(self) -> None:
        for thread in self._customers + self._readers:
            thread.start()

    def stop(self) -> None:
        """Nobody submits any more."""
        self._is_over.set()

    def wait(self, seconds: float) -> None:
        """Until all have what they wait for."""
        deadline = time.monotonic() + seconds
        for thread in [*self._customers, *self._watchers, *self._readers]:
            thread.join(timeout=max(deadline - time.monotonic(), 0))
            if thread.is_alive():
                self._journal.hung(f"{thread.name} still waits {seconds:.0f} s after the last fault")

    def probe(self, direct: bool) -> bool:
        """Submits one echo; whether its receipt came."""
        number = next(self._numbers)
        order = Order(f"probe-{number}", [{"station": "echo", "payload": number}])
        try:
            return self._submit(order, order.name, direct=direct) is not None
        except Closed:
            return False  # the run is being ended

    def _thread(self, name: str, work: Callable[..., None], *arguments: object) -> threading.Thread:
        def run() -> None:
            try:
                work(*arguments)
            except Closed:
                pass  # the run is being ended
            except Exception as error:  # a mistake of this script's is no success
                self._journal.unexpected(f"{name}: {error!r}")
                raise

        return threading.Thread(target=run, name=name, daemon=True)

    # Submitting

    def _submit_on(self, number: int) -> None:
        rng = random.Random(f"{self._seed} customer {number}")
        shapes = Shapes(rng)
        manners = [
            (28, self._detached), (20, self._watched), (12, self._waiting), (14, self._following),
            (16, self._killed), (3, self._killed_for_good), (7, self._cancelled),
        ]  # fmt: skip
        weights, makers = zip(*manners)
        while not self._is_over.wait(rng.uniform(0, 0.8)):
            with self._lock:
                is_full = len(self._unended) >= RUNNING_ORDERS_MAX
            if is_full:
                continue
            name = f"chaos-{next(self._numbers)}"
            if self._is_poison_due():
                self._watched(rng, shapes.poisoned(name))
                continue
            manner = rng.choices(makers, weights)[0]
            manner(rng, shapes.slow(name) if manner == self._cancelled else shapes.draw(name))

    def _is_poison_due(self) -> bool:
        """One at a time, or nearly so: it ends five workers."""
        with self._lock:
            if time.monotonic() < self._next_poison_at:
                return False
            self._next_poison_at = time.monotonic() + POISON_PAUSE_SECONDS
            return True

    def _detached(self, rng: random.Random, order: Order) -> None:
        """Takes the receipt and goes; now and then somebody repeats it, who finds it."""
        flags = rng.choice([(), (), ("--timeout", "1500ms")])  # the impatient give up, and repeat it
        self._submit_until_accepted(order, *flags)
        if rng.random() < 0.2:
            self._submit_until_accepted(order)

    def _watched(self, rng: random.Random, order: Order) -> None:
        """One or two follow it, each as a process of its own."""
        identifier = self._submit_until_accepted(order)
        if identifier is None:
            return
        for _ in range(rng.randint(1, 2)):
            watcher = self._thread(f"watcher of {order.name}", self._watch, order, identifier)
            self._watchers.append(watcher)
            watcher.start()

    def _waiting(self, _: random.Random, order: Order) -> None:
        self._submit(order, order.name, "--wait")

    def _following(self, _: random.Random, order: Order) -> None:
        self._submit(order, order.name, "--follow")

    def _killed(self, rng: random.Random, order: Order) -> None:
        """The producer is killed in the midst, and another one repeats the submission under its key."""
        self._submit(order, order.name, *rng.choice([(), (), ("--wait",)]), killed_after=rng.uniform(0.02, 0.09))
        time.sleep(rng.choice([0, 0, 0.5]))
        self._submit_until_accepted(order)

    def _killed_for_good(self, rng: random.Random, order: Order) -> None:
        """Nobody repeats it: the order is there once or not at all."""
        self._submit(order, None, killed_after=rng.uniform(0.02, 0.09))

    def _cancelled(self, rng: random.Random, order: Order) -> None:
        identifier = self._submit_until_accepted(order)
        if identifier is None:
            return
        time.sleep(rng.uniform(0, 1.5))
        self._journal.write("cancel", name=order.name, order=identifier)
        producer = self._shop.produce("cancel", identifier, "--json")
        list(producer.values())
        self._finish(producer, f"cancel of {order.name}", {0})

    def _submit_until_accepted(self, order: Order, *flags: str) -> str | None:
        """Repeats it under its key as a script would that is told to try again later; its id."""
        for attempt in range(REPEATS_MAX):
            identifier = self._submit(order, order.name, *flags)
            if identifier is not None:
                return identifier
            time.sleep(min(0.1 * 2**attempt, 2))
        self._journal.hung(f"{order.name} was not accepted in {REPEATS_MAX} submissions")
        return None

    def _submit(
        self, order: Order, key: str | None, *flags: str, direct: bool = False, killed_after: float | None = None
    ) -> str | None:
        """One producer, from its beginning to its end; the id of the order where it said so."""
        arguments = ["submit", "-", "--json", *flags, *(("--key", key) if key else ())]
        self._journal.write("attempt", name=order.name, order=order.document, flags=list(flags), key=key)
        producer = self._shop.produce(
            *arguments, text=json.dumps(order.document), direct=direct, killed_after=killed_after
        )
        identifier, status = self._take_lines(producer, order, f"submit of {order.name} {producer.started_at}")
        waits = "--wait" in flags or "--follow" in flags
        allowed = {0} if not waits or status == "complete" else {1}
        self._finish(producer, f"submit {' '.join(flags)} of {order.name}", allowed, has_answer=status is not None)
        return identifier

    def _take_lines(self, producer: Command, order: Order, stream: str) -> tuple[str | None, str | None]:
        """Receipt, outcomes, reports: each tells the order's id. The id, and the status of the last line."""
        identifier: str | None = None
        status: str | None = None
        for line in producer.values():
            if identifier is None:
                self._acknowledge(order, line["order"], producer.started_at)
            elif identifier != line["order"]:
                self._journal.unexpected(f"{stream} speaks of {identifier} and {line['order']}")
            identifier = line["order"]
            if "landing" in line:
                slot = {key: value for key, value in line.items() if key != "order"}
                self._journal.write("outcome", stream=stream, order=identifier, slot=slot)
                continue
            status = line["status"]
            if "counts" in line:
                self._journal.write("report", by=stream, report=line)
            if status in ENDS:
                self._note_end(identifier)
        return identifier, status

    def _acknowledge(self, order: Order, identifier: str, since: float) -> None:
        self._journal.write("acknowledged", name=order.name, order=identifier, since=since)
        with self._lock:
            if identifier in self._ended or identifier in self._unended:
                return
            self._unended.add(identifier)
        self._to_read.put((time.monotonic() + READING_PAUSE_SECONDS, READING_PAUSE_SECONDS, order.name, identifier))

    def _note_end(self, identifier: str) -> None:
        with self._lock:
            self._ended.add(identifier)
            self._unended.discard(identifier)

    def _finish(
        self, producer: Command, what: str, allowed: set[int], has_answer: bool = True, words: tuple[str, ...] = ()
    ) -> int:
        """Waits for its end and looks whether docs/cli.md allows it."""
        code, errors = producer.finish()
        if CRASH.search(errors):
            self._journal.unexpected(f"{what} said: {errors[:300]}")
        if code == -9 and producer.was_killed:
            return code
        if code in allowed and has_answer:
            return code
        self._journal.write("exit", of=what, code=code, errors=errors[-300:])
        begin, end = producer.started_at, time.time()
        if code == 66:
            self._journal.write("lost", message=f"{what}: {errors.strip()[-200:]}")
        elif code == 69 and self._was_trouble(begin, end, "assembler", "producer", "disk"):
            pass
        elif code == 75 and self._was_trouble(begin, end, "assembler", "disk"):
            pass
        else:
            self._journal.unexpected(f"{what} ended with {code}: {errors.strip()[-200:]}")
        return code

    # Reading

    def _watch(self, order: Order, identifier: str) -> None:
        """Follows it to its end; one that gives up, because no assembler answers, is replaced."""
        for attempt in range(REPEATS_MAX):
            stream = f"watcher of {order.name} {time.monotonic_ns()}"
            producer = self._shop.produce("watch", identifier, "--follow", "--json")
            _, status = self._take_lines(producer, order, stream)
            allowed = {0} if status == "complete" else {1}
            self._finish(producer, f"watch of {order.name}", allowed, has_answer=status is not None)
            if status is not None:
                return
            time.sleep(0.2 * (attempt + 1))

    def _read_on(self) -> None:
        """Reads every acknowledged order, again and again, ever more rarely, until it has ended."""
        while True:
            try:
                at, pause, name, identifier = self._to_read.get(timeout=0.5)
            except queue.Empty:
                if self._is_over.is_set() and not any(thread.is_alive() for thread in self._customers):
                    return
                continue
            time.sleep(max(at - time.monotonic(), 0))
            report = self.read(name, identifier)
            if report is None or report["status"] not in ENDS:
                pause = min(pause * 2, 8)
                self._to_read.put((time.monotonic() + pause, pause, name, identifier))

    def read(self, name: str, identifier: str) -> Record | None:
        """An order's report, past the proxy; `None` where no assembler answered."""
        producer = self._shop.produce("status", identifier, "--json", "--timeout", READING_TIMEOUT, direct=True)
        reports = list(producer.values())
        report = reports[0] if reports else None
        allowed = {0} if report and report["status"] in ("running", "complete") else {1}
        self._finish(producer, f"status of {name}", allowed, has_answer=report is not None)
        if report is None:
            return None
        self._journal.write("report", by="status", report=report)
        if report["status"] in ENDS:
            self._note_end(identifier)
        return report
