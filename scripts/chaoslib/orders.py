"""The orders that are submitted, and what each item has to come to."""

import random
from dataclasses import dataclass, field
from typing import Any

# What the workers serve: config/worker.yaml has the same handlers.
STATIONS = {
    "echo": {"handler": "echo", "capacity": 50},
    "sleep": {"handler": "sleep", "capacity": 20},
    "fail": {"handler": "fail", "capacity": 20},
    "ledger": {"handler": "command", "command": ["sh", "ledger.sh", "{payload}"], "capacity": 8},
}
UNSERVED = "nobody"

# Payload: VERB SECONDS TEXT. Every execution leaves a line in `ran`, appended at once, so that it can be counted.
# Poison kills its parent, but only a worker: an orphan harms nobody else.
LEDGER = """\
echo "$TRAY_ORDER $TRAY_ITEM $TRAY_ATTEMPT $TRAY_LEASE" >>ran
set -- $1
case $1 in
  poison)
    sleep 0.1
    if [ "$(cat /proc/$PPID/comm)" = worker ]; then echo $PPID >>killed; kill -9 $PPID; fi
    sleep 5 ;;
  refuse) echo refused on purpose >&2; exit 65 ;;
  *) sleep "$2"; echo "$3" ;;
esac
"""

ATTEMPTS_MAX = 3  # the contract's default
DEADLINE_SECONDS = 120  # of orders that are to end by themselves
EXPIRING_SECONDS = 2


@dataclass
class Order:
    """An order as it is submitted. Its name is drawn here and is nobody else's: by it the order is found again."""

    name: str
    items: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        deadline = EXPIRING_SECONDS if expires(self.items) else DEADLINE_SECONDS
        return {"name": self.name, "deadline": f"{deadline}s", **self.options, "items": self.items}


def expires(items: list[dict[str, Any]]) -> bool:
    """Whether somebody waits for a station that nobody serves."""
    return any(item["station"] == UNSERVED for item in items)


def has_poison(items: list[dict[str, Any]]) -> bool:
    return any(expected(item)[0] == "poisoned" for item in items)


def expected(item: dict[str, Any]) -> tuple[str | None, Any]:
    """How an item ends that nobody cancels, and its result where it is done. No status: it never ends by itself."""
    station, payload = item["station"], item["payload"]
    if station in ("echo", "sleep"):
        return "done", payload
    if station == "fail":
        wins_on = payload.get("succeed_on_attempt", ATTEMPTS_MAX + 1)
        return ("failed", None) if wins_on > ATTEMPTS_MAX or payload.get("permanent") else ("done", None)
    if station == "ledger":
        verb, _, text = payload.split(" ")
        return {"poison": ("poisoned", None), "refuse": ("failed", None)}.get(verb, ("done", text + "\n"))
    return None, None


class Shapes:
    """Draws orders of every shape."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def draw(self, name: str) -> Order:
        shapes = [
            (20, self._echoes), (22, self._mixed), (10, self._naps), (18, self._ledger), (7, self._retried),
            (6, self._isolated), (5, self._fail_fast), (4, self._tolerant), (5, self._enough), (5, self._narrow),
            (4, self._long), (3, self._bulky), (2, self._expiring),
        ]  # fmt: skip
        weights, makers = zip(*shapes)
        items, options = self._rng.choices(makers, weights)[0]()
        return Order(name, items, options)

    def poisoned(self, name: str) -> Order:
        """One item that ends every worker that runs it, among innocents."""
        items = self._ledger()[0]
        items.insert(self._rng.randrange(len(items) + 1), {"station": "ledger", "payload": "poison 0 -"})
        return Order(name, items, {})

    def slow(self, name: str) -> Order:
        """One that lasts until it is cancelled, most likely."""
        return Order(name, [self._nap(1, 2.5) for _ in range(self._rng.randint(2, 30))], {"max_parallel": 4})

    # Items

    def _text(self) -> str:
        return f"{self._rng.getrandbits(48):012x}"

    def _echo(self) -> dict[str, Any]:
        payload = self._rng.choice([self._text(), {"text": self._text(), "list": [1, None, True]}, self._rng.random()])
        return {"station": "echo", "payload": payload}

    def _nap(self, shortest: float = 0.05, longest: float = 1.2) -> dict[str, Any]:
        return {"station": "sleep", "payload": {"seconds": round(self._rng.uniform(shortest, longest), 3)}}

    def _entry(self) -> dict[str, Any]:
        return {"station": "ledger", "payload": f"take {self._rng.uniform(0.02, 0.8):.3f} {self._text()}"}

    def _once_failing(self) -> dict[str, Any]:
        return {"station": "fail", "payload": {"succeed_on_attempt": 2}}

    def _failing(self) -> dict[str, Any]:
        return self._rng.choice([
            {"station": "fail", "payload": {"permanent": True, "message": "burnt"}},
            {"station": "fail", "payload": {"message": "burnt each time"}},
            {"station": "ledger", "payload": "refuse 0 -"},
        ])  # fmt: skip

    def _some(self, least: int, most: int, *makers: Any) -> list[dict[str, Any]]:
        return [self._rng.choice(makers)() for _ in range(self._rng.randint(least, most))]

    # Shapes: items and the order's options

    def _echoes(self) -> tuple[list, dict]:
        return self._some(1, 8, self._echo), {}

    def _mixed(self) -> tuple[list, dict]:
        return self._some(5, 40, self._echo, self._echo, self._nap, self._entry, self._once_failing), {}

    def _naps(self) -> tuple[list, dict]:
        return self._some(3, 15, self._nap), {}

    def _ledger(self) -> tuple[list, dict]:
        return self._some(4, 16, self._entry), {}

    def _retried(self) -> tuple[list, dict]:
        return self._some(1, 6, self._once_failing), {}

    def _with(self, failing_count: int, options: dict) -> tuple[list, dict]:
        items = self._some(2, 12, self._echo, self._nap, self._entry)
        items += [self._failing() for _ in range(failing_count)]
        self._rng.shuffle(items)
        return items, options

    def _isolated(self) -> tuple[list, dict]:
        return self._with(self._rng.randint(1, 3), {"failure": "isolate"})

    def _fail_fast(self) -> tuple[list, dict]:
        return self._with(1, {"failure": "fail-fast"})

    def _tolerant(self) -> tuple[list, dict]:
        return self._with(self._rng.randint(1, 4), {"failure": {"tolerate": 2}})

    def _enough(self) -> tuple[list, dict]:
        items = self._some(3, 20, self._echo, self._nap)
        return items, {"enough": self._rng.randint(1, len(items))}

    def _narrow(self) -> tuple[list, dict]:
        items = self._some(3, 10, self._echo, self._entry, lambda: self._nap(longest=0.4))
        return items, {"max_parallel": self._rng.randint(1, 3), "priority": self._rng.randint(-5, 5)}

    def _long(self) -> tuple[list, dict]:
        """Travels in several pages."""
        return self._some(300, 700, self._echo), {}

    def _bulky(self) -> tuple[list, dict]:
        return [
            {"station": "echo", "payload": self._text() * self._rng.randint(500, 4_000)}
            for _ in range(self._rng.randint(1, 4))
        ], {}

    def _expiring(self) -> tuple[list, dict]:
        return [*self._some(1, 4, self._echo), {"station": UNSERVED, "payload": ""}], {}
