"""Compares the journal with the reports. Pure: records in, verdict out; --self-test plants wrongs in its input."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import orders
from .journal import Record

ENDS = ("complete", "partial", "failed", "cancelled", "expired")
SETTLED = ("done", "failed", "cancelled", "expired", "poisoned")
_SLOT_KEYS = ("index", "name", "station", "status", "attempts", "worker", "result", "error", "started_at", "finished_at")


@dataclass
class Verdict:
    """The counters of a run, and a sentence for each wrong."""

    attempted: int = 0
    acknowledged: int = 0
    complete: int = 0
    recovered: int = 0
    items: int = 0
    executions: int = 0
    repeated: int = 0
    mistaken: list[str] = field(default_factory=list)
    # Seconds by which the `elapsed_seconds` of an ended order became less. It is told with the time of the commit that served
    # the order, which itself is committed a little later: an assembler that is killed in between forgets it.
    taken_back: dict[str, float] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.duplicated or self.unexpected or self.hung)


class Judge:
    """Reads a journal once.

    Records, by their `what`:
    - `attempt`: `name`, `order` (the document as it was first submitted)
    - `cancel`: `name`
    - `acknowledged`: `name`, `order` (the id that was read), `since` (when the producer that printed it was started)
    - `outcome`: `stream` (who follows), `order`, `slot` (an entry of `--follow --json`)
    - `event`: `event` (a CloudEvent of `producer events --json`)
    - `report`: `report`
    - `listed`: `orders`: all ids, after everything was healed
    - `final`: `orders`: all reports, after the assembler was killed and started once more
    - `ran`: `order`, `index`, `lease`: an execution
    - `killed`: `worker`: by the saboteur
    - `poison`: `killed`: the pids of the workers that poison items killed
    - `ended`: `process`, `pid`
    - `unexpected`, `lost`, `hung`: `message`: seen while it ran
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.verdict = Verdict()
        self._by_kind: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            self._by_kind[record["what"]].append(record)
        self._documents = {}
        for record in self._by_kind["attempt"]:
            self._documents.setdefault(record["name"], record["order"])
        self._first_since: dict[str, float] = {}
        for record in self._by_kind["acknowledged"]:
            self._first_since.setdefault(record["order"], record["since"])
        self._cancelled = {record["name"] for record in self._by_kind["cancel"]}
        self._final: dict[str, Record] = {}

    def judge(self) -> Verdict:
        verdict = self.verdict
        for kind in ("unexpected", "lost", "hung"):
            getattr(verdict, kind).extend(record["message"] for record in self._by_kind[kind])
        verdict.attempted = len(self._documents)
        if not self._by_kind["final"]:
            verdict.unexpected.append("there is no final reading of the orders")
        for record in self._by_kind["final"]:
            for report in record["orders"]:
                self._take_final(report)
        self._judge_names()
        self._judge_acknowledged()
        self._judge_earlier_reports()
        self._judge_streams()
        self._judge_events()
        self._judge_executions()
        return verdict

    # Orders

    def _take_final(self, report: Record) -> None:
        """An order as it stands in the end."""
        name, order = report["name"], report["order"]
        self._final[order] = report
        document = self._documents.get(name)
        if document is None:
            self.verdict.unexpected.append(f"{order} is called {name}, which nobody submitted")
            return
        if report["status"] == "running":
            self.verdict.hung.append(f"{name} {order} is running")
            return
        self.verdict.items += len(report["items"])
        for wrong in Report(report, document, name in self._cancelled).wrongs():
            if self._is_mistaken(report, wrong):
                self.verdict.mistaken.append(f"{name} {order}: {wrong}")
            else:
                self.verdict.unexpected.append(f"{name} {order}: {wrong}")

    def _judge_names(self) -> None:
        """A name, and with it a key, is one order; what was listed once is there."""
        namesakes: dict[str, list[str]] = defaultdict(list)
        for order, report in self._final.items():
            namesakes[report["name"]].append(order)
        for name, ids in namesakes.items():
            if len(ids) > 1:
                self.verdict.duplicated.append(f"{name} is there as {' and '.join(ids)}")
        for record in self._by_kind["listed"]:
            for order in set(record["orders"]) - set(self._final):
                self.verdict.lost.append(f"{order} was listed and is not there")

    def _judge_acknowledged(self) -> None:
        verdict = self.verdict
        ids: dict[str, set[str]] = defaultdict(set)
        for record in self._by_kind["acknowledged"]:
            ids[record["name"]].add(record["order"])
        verdict.acknowledged = len(ids)
        for name, known in ids.items():
            if len(known) > 1:
                verdict.duplicated.append(f"{name} was acknowledged as {' and '.join(sorted(known))}")
            for order in known:
                report = self._final.get(order)
                if report is None:
                    verdict.lost.append(f"{name} {order} was acknowledged and is not there")
                elif report["name"] != name:
                    verdict.unexpected.append(f"{order} was acknowledged as {name} and is called {report['name']}")
                elif report["status"] in ENDS:
                    verdict.complete += 1
        verdict.recovered = sum(self._is_recovered(report) for report in self._final.values())

    def _is_recovered(self, report: Record) -> bool:
        """There, although nobody had read so when it was accepted: that producer was killed, or gave up."""
        first_since = self._first_since.get(report["order"])
        return first_since is None or first_since > datetime.fromisoformat(report["accepted_at"]).timestamp()

    def _judge_earlier_reports(self) -> None:
        """What had settled is as it was, and what had ended is the same in every letter."""
        for record in self._by_kind["report"]:
            final = self._final.get(record["report"]["order"])
            if final is None:
                self.verdict.lost.append(f"{record['report']['order']} had a report and is not there")
                continue
            # The last line of a follower has no items.
            earlier = {"items": final["items"], **record["report"]}
            for slot in earlier["items"]:
                if slot["status"] in SETTLED:
                    self._compare(earlier["order"], slot, "was reported")
            if earlier["status"] not in ENDS:
                continue
            difference = earlier["elapsed_seconds"] - final["elapsed_seconds"]
            if earlier != {**final, "elapsed_seconds": earlier["elapsed_seconds"]} or difference < 0:
                self.verdict.duplicated.append(f"{earlier['order']} had ended, and its report has changed")
            elif difference > 0:
                self.verdict.taken_back[earlier["order"]] = difference

    def _compare(self, order: str, slot: Record, how: str) -> None:
        """An outcome that somebody has seen is still there."""
        index = slot["index"]
        items = self._final.get(order, {}).get("items", [])
        now = items[index] if index < len(items) else None
        if now is None or now["status"] not in SETTLED:
            self.verdict.lost.append(f"{order} #{index} {how} as {slot['status']} and has no outcome")
        elif any(slot.get(key) != now.get(key) for key in _SLOT_KEYS):
            self.verdict.lost.append(f"{order} #{index} {how} as {_brief(slot)} and is {_brief(now)}")

    # Slots

    def _judge_streams(self) -> None:
        """Every follower has seen every landing once, from the first on, and all have seen the same."""
        streams: dict[str, list[Record]] = defaultdict(list)
        for record in self._by_kind["outcome"]:
            streams[record["stream"]].append(record)
        seen: dict[tuple[str, int], Record] = {}
        for stream, outcomes in streams.items():
            order = outcomes[0]["order"]
            landings = [each["slot"]["landing"] for each in outcomes]
            indexes = [each["slot"]["index"] for each in outcomes]
            for what, numbers in (("slot", indexes), ("landing", landings)):
                for number, count in Counter(numbers).items():
                    if count > 1:
                        self.verdict.duplicated.append(f"{stream} was told {what} {number} of {order} {count} times")
            missing = set(range(1, max(landings) + 1)) - set(landings)
            if missing:
                self.verdict.lost.append(f"{stream} was not told landings {sorted(missing)} of {order}")
            for each in outcomes:
                slot = each["slot"]
                first = seen.setdefault((order, slot["index"]), slot)
                if first != slot:
                    told = f"{_brief(first)} and as {_brief(slot)}"
                    self.verdict.duplicated.append(f"{order} #{slot['index']} was told as {told}")
        for (order, _), slot in seen.items():
            self._compare(order, slot, "was told")

    def _judge_events(self) -> None:
        """A slot is settled once, and nobody gets it after that."""
        settled: set[tuple[str, int]] = set()
        ids: set[str] = set()
        for record in self._by_kind["event"]:
            event = record["event"]
            if event["id"] in ids:
                self.verdict.unexpected.append(f"event {event['id']} came twice")
            ids.add(event["id"])
            if event["type"] not in ("tray.item.settled", "tray.item.leased"):
                continue
            data = event["data"]
            slot = (data["order"], data["index"])
            name = f"{slot[0]} #{slot[1]}"
            if event["type"] == "tray.item.leased":
                if slot in settled:
                    self.verdict.duplicated.append(f"{name} was leased to {data['worker']} after it was settled")
                continue
            if slot in settled:
                self.verdict.duplicated.append(f"{name} was settled twice")
            settled.add(slot)
            items = self._final.get(slot[0], {}).get("items", [])
            now = items[slot[1]]["status"] if slot[1] < len(items) else "not there"
            if now != data["status"]:
                self.verdict.lost.append(f"{name} was settled {data['status']} and is {now}")

    def _judge_executions(self) -> None:
        """Counts them, and looks for those that a later assembler began although the slot had its outcome."""
        runs = Counter((record["order"], record["index"]) for record in self._by_kind["ran"])
        self.verdict.executions = sum(runs.values())
        self.verdict.repeated = sum(count > 1 for count in runs.values())
        settled_in: dict[tuple[str, int], int] = {}
        for record in self._by_kind["event"]:
            event = record["event"]
            if event["type"] == "tray.item.settled":
                slot = (event["data"]["order"], event["data"]["index"])
                settled_in[slot] = int(event["id"].split("-")[0])
        for record in self._by_kind["ran"]:
            slot = (record["order"], record["index"])
            if slot[0] not in self._final:
                self.verdict.unexpected.append(f"an item of {slot[0]} ran, which is not there")
            if int(record["lease"].split("-")[0]) > settled_in.get(slot, 1 << 62):
                wrong = f"{slot[0]} #{slot[1]} ran under lease {record['lease']}, which is younger than its outcome"
                self.verdict.duplicated.append(wrong)

    def _is_mistaken(self, report: Record, wrong: "Wrong") -> bool:
        """An innocent item that is poisoned, where something else has killed every worker that it lost.

        To the assembler that looks like poison. A poison item may have killed the workers that ran both. The last one
        the item had to itself: that one only the saboteur can have killed.
        """
        if wrong.poisoned_index is None:
            return False
        by_saboteur = [(record["worker"], record["at"]) for record in self._by_kind["killed"]]
        pids = {pid for record in self._by_kind["poison"] for pid in record["killed"]}
        by_poison = [(record["process"], record["at"]) for record in self._by_kind["ended"] if record["pid"] in pids]
        losses = [
            (record["event"]["data"]["worker"], record["at"])
            for record in self._by_kind["event"]
            if record["event"]["type"] == "tray.attempt.lost"
            and record["event"]["data"]["order"] == report["order"]
            and record["event"]["data"]["index"] == wrong.poisoned_index
        ]

        def is_among(loss: tuple[str, float], kills: list[tuple[str, float]]) -> bool:
            return any(loss[0].startswith(name) and abs(loss[1] - at) < 1 for name, at in kills)

        return (
            len(losses) >= 5
            and is_among(losses[-1], by_saboteur)
            and all(is_among(loss, by_saboteur + by_poison) for loss in losses)
        )


class Wrong(str):
    """What is wrong with a report; `poisoned_index` where it is an innocent item that was called poison."""

    poisoned_index: int | None = None


class Report:
    """One ended order, held against what was submitted."""

    def __init__(self, report: Record, document: Record, is_cancelled: bool) -> None:
        self.status: str = report["status"]
        self.slots: list[Record] = report["items"]
        self.counts: Record = report["counts"]
        self.elapsed: float = report["elapsed_seconds"]
        self.items: list[Record] = document["items"]
        self.document = document
        self.is_cancelled = is_cancelled

    def wrongs(self) -> list[Wrong]:
        if [slot["station"] for slot in self.slots] != [item["station"] for item in self.items]:
            return [Wrong(f"its {len(self.slots)} items are not the {len(self.items)} that were submitted")]
        found = [wrong for slot, item in zip(self.slots, self.items) if (wrong := self._wrong_of(slot, item))]
        counted = Counter(slot["status"] for slot in self.slots)
        if any(self.counts[status] != counted[status] for status in SETTLED):
            found.append(Wrong(f"it counts {self.counts} and has {dict(counted)}"))
        if not any(wrong.poisoned_index is not None for wrong in found) and not self._status_follows(counted):
            found.append(Wrong(f"it is {self.status} after {self.elapsed} s with {dict(counted)}"))
        return found

    def _wrong_of(self, slot: Record, item: Record) -> Wrong | None:
        status, result = orders.expected(item)
        index, got = slot["index"], slot["status"]
        if got == "done" and status == "done":
            if result is not None and slot["result"] != result:
                return Wrong(f"#{index} has the result {slot['result']!r:.60} instead of {result!r:.60}")
            return None
        if got == status:
            kind = slot["error"]["kind"]
            return None if kind == got else Wrong(f"#{index} is {got} for an error of kind {kind}")
        # Who comes too late for an outcome of its own shares that of its order.
        if got == "cancelled" and (self.status in ("cancelled", "failed") or "enough" in self.document):
            return None
        if got == "expired" and self.status == "expired":
            return None
        wrong = Wrong(f"#{index} ({item['station']}) is {got}: {slot['error'] or slot['result']!r:.200}")
        if got == "poisoned":
            wrong.poisoned_index = index
        return wrong

    def _status_follows(self, counted: Counter[str]) -> bool:
        bad = counted["failed"] + counted["poisoned"]
        tolerated = self._tolerated()
        match self.status:
            case "complete":
                return counted["done"] == self.document.get("enough", len(self.items))
            case "partial":
                return 0 < bad <= tolerated and counted["done"] + bad == len(self.items)
            case "failed":
                return bad > tolerated
            case "cancelled":
                return self.is_cancelled and counted["cancelled"] > 0
            case "expired":
                return orders.expires(self.items) and self.elapsed >= orders.EXPIRING_SECONDS
        return False

    def _tolerated(self) -> int:
        match self.document.get("failure", "isolate"):
            case "isolate":
                return len(self.items)
            case "fail-fast":
                return 0
            case {"tolerate": count}:
                return count
        raise ValueError(self.document["failure"])


def _brief(slot: Record) -> str:
    told = {key: slot.get(key) for key in ("status", "attempts", "worker", "result", "error", "finished_at")}
    return f"{told!r:.300}"
