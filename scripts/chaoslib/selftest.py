"""Shows that the judge finds what is wrong: a sound journal, and the same journal with one wrong planted each time."""

import copy
from collections.abc import Callable
from datetime import datetime

from .journal import Record
from .judge import Judge, Verdict
from .table import WRONGS

EIGHT = datetime.fromisoformat("2026-11-24T08:00:00Z").timestamp()
ORDER, CANCELLED, KILLED = "01ORDER", "01CANCELLED", "01KILLED"


def _slot(index: int, station: str, status: str, result: object = None, **more: object) -> Record:
    error = None if status == "done" else {"kind": status, "message": "planted"}
    slot = {
        "index": index, "name": None, "station": station, "status": status, "attempts": 1, "worker": "worker-a",
        "result": result, "error": error, "started_at": "08:00", "finished_at": "08:01",
    }  # fmt: skip
    return {**slot, **more}


def _report(order: str, name: str, status: str, *slots: Record) -> Record:
    counts = {each: sum(slot["status"] == each for slot in slots) for each in
              ("done", "failed", "cancelled", "expired", "poisoned", "waiting", "leased")}  # fmt: skip
    return {
        "order": order, "name": name, "status": status, "elapsed_seconds": 1.5,
        "accepted_at": "2026-11-24T08:00:00.500Z",
        "counts": {"total": len(slots), **counts}, "items": list(slots),
    }  # fmt: skip


def _event(number: int, kind: str, order: str, index: int, **data: object) -> Record:
    event = {"id": f"1-{number}", "type": f"tray.{kind}", "data": {"order": order, "index": index, **data}}
    return {"at": float(number), "what": "event", "event": event}


def sound() -> list[Record]:
    """Three orders: one with an outcome of every kind, one that was cancelled, one whose producer was killed."""
    slots = [
        _slot(0, "echo", "done", "hello"),
        _slot(1, "fail", "failed"),
        _slot(2, "ledger", "done", "abc\n", attempts=2),
        _slot(3, "ledger", "poisoned", attempts=5),
    ]
    document = {"items": [
        {"station": "echo", "payload": "hello"}, {"station": "fail", "payload": {"permanent": True}},
        {"station": "ledger", "payload": "take 0.1 abc"}, {"station": "ledger", "payload": "poison 0 -"},
    ]}  # fmt: skip
    naps = {"items": [{"station": "sleep", "payload": {"seconds": 2}}]}
    echo = {"items": [{"station": "echo", "payload": 1}], "enough": 1}
    report = _report(ORDER, "chaos-1", "partial", *slots)
    running = _report(ORDER, "chaos-1", "running", slots[0], *(dict(slot, status="waiting") for slot in slots[1:]))
    final = [
        report,
        _report(CANCELLED, "chaos-2", "cancelled", _slot(0, "sleep", "cancelled")),
        _report(KILLED, "chaos-3", "complete", _slot(0, "echo", "done", 1)),
    ]
    return [
        {"what": "attempt", "name": "chaos-1", "order": document},
        {"what": "attempt", "name": "chaos-1", "order": document},
        {"what": "attempt", "name": "chaos-2", "order": naps},
        {"what": "attempt", "name": "chaos-3", "order": echo},
        {"what": "attempt", "name": "chaos-4", "order": echo},
        {"what": "acknowledged", "name": "chaos-1", "order": ORDER, "since": EIGHT},
        {"what": "acknowledged", "name": "chaos-1", "order": ORDER, "since": EIGHT + 1},
        {"what": "acknowledged", "name": "chaos-2", "order": CANCELLED, "since": EIGHT + 1},
        {"what": "cancel", "name": "chaos-2"},
        _event(1, "item.leased", ORDER, 0, worker="worker-a"),
        _event(2, "item.settled", ORDER, 0, status="done"),
        {"what": "outcome", "stream": "a", "order": ORDER, "slot": {"landing": 1, **slots[0]}},
        {"what": "outcome", "stream": "a", "order": ORDER, "slot": {"landing": 2, **slots[2]}},
        {"what": "outcome", "stream": "b", "order": ORDER, "slot": {"landing": 1, **slots[0]}},
        {"what": "report", "report": running},
        {"what": "report", "report": copy.deepcopy(report)},
        {"what": "ran", "order": ORDER, "index": 2, "lease": "1-3"},
        {"what": "ran", "order": ORDER, "index": 2, "lease": "2-4"},
        {"what": "listed", "orders": [ORDER, CANCELLED, KILLED]},
        {"what": "final", "orders": final},
    ]


Plant = Callable[[list[Record]], object]


def _final(records: list[Record]) -> list[Record]:
    return records[-1]["orders"]


def _change(order: int, index: int, **fields: object) -> Plant:
    """Of the final report, and of the earlier ones where it is the first order: the tray was so all the time."""

    def plant(records: list[Record]) -> None:
        reports = [_final(records)[order]]
        if order == 0:
            reports += [record["report"] for record in records if record["what"] == "report"][1:]
        for report in reports:
            report["items"][index].update(fields)

    return plant


def _rename(order: int, **fields: object) -> Plant:
    return lambda records: _final(records)[order].update(fields)


def _losses(killers: list[str]) -> Plant:
    """The first item of the third order lost five workers, each to `saboteur`, `poison` or nobody, and is called poison."""

    def plant(records: list[Record]) -> None:
        _change(2, 0, status="poisoned", error={"kind": "poisoned"})(records)
        _final(records)[2]["counts"].update(done=0, poisoned=1)
        for number in range(5):
            loss = _event(10 + number, "attempt.lost", KILLED, 0, worker=f"worker-{number}")
            records.insert(-2, loss)
            killer = killers[number] if number < len(killers) else ""
            if killer == "saboteur":
                records.insert(-2, {"what": "killed", "worker": f"worker-{number}", "at": loss["at"] + 0.1})
            elif killer == "poison":
                end = {"what": "ended", "process": f"worker-{number}", "pid": number, "at": loss["at"] + 0.1}
                records.insert(-2, end)
                records.insert(-2, {"what": "poison", "killed": [number]})

    return plant


def _add(record: Record) -> Plant:
    return lambda records: records.insert(-2, record)


def _outcome(stream: str, landing: int, **fields: object) -> Plant:
    slot = {"landing": landing, **_slot(0, "echo", "done", "hello"), **fields}
    return _add({"what": "outcome", "stream": stream, "order": ORDER, "slot": slot})


# A sentence, which counter must say so, and what is done to the sound journal.
PLANTED: list[tuple[str, str, Plant]] = [
    ("an acknowledged order is gone", "lost", lambda records: _final(records).pop(1)),
    ("an order that was listed is gone", "lost", lambda records: _final(records).pop(2)),
    ("an outcome that was told is missing", "lost",
     lambda records: _final(records)[0]["items"][2].update(status="waiting")),
    ("a result that was told is another one", "lost", _change(0, 2, result="xyz\n")),
    ("a slot that was told is settled otherwise", "lost", _change(0, 0, status="failed", error={"kind": "failed"})),
    ("a settled slot is open again", "lost", _change(0, 0, status="waiting")),
    ("a landing was not told", "lost", _outcome("c", 3)),
    ("a settled event is not true", "lost", _add(_event(3, "item.settled", ORDER, 1, status="done"))),
    ("a key has two orders", "duplicated", lambda records: _final(records).append(dict(_final(records)[0], order="01B"))),
    ("a submission has two receipts", "duplicated",
     _add({"what": "acknowledged", "name": "chaos-1", "order": KILLED, "since": EIGHT})),
    ("a slot is told twice", "duplicated", _outcome("a", 3)),
    ("a landing is told twice", "duplicated", _outcome("a", 2, index=1)),
    ("two followers are told two outcomes", "duplicated", _outcome("c", 1, worker="worker-b")),
    ("an ended tray has changed", "duplicated", _rename(0, finished_at="09:00")),
    ("an ended order has taken longer", "duplicated", _rename(0, elapsed_seconds=1.6)),
    ("an item is settled twice", "duplicated", _add(_event(3, "item.settled", ORDER, 0, status="done"))),
    ("an item is leased after its end", "duplicated", _add(_event(3, "item.leased", ORDER, 0, worker="worker-b"))),
    ("an item runs again after its end", "duplicated", _add({"what": "ran", "order": ORDER, "index": 0, "lease": "2-9"})),
    ("nobody submitted an order", "unexpected", _rename(2, name="chaos-9")),
    ("a result is wrong", "unexpected", _change(2, 0, result=2)),
    ("an innocent is poisoned", "unexpected", _change(2, 0, status="poisoned", error={"kind": "poisoned"})),
    ("five workers of an innocent died of nothing known", "unexpected", _losses([])),
    ("an innocent lost its last worker to poison, and was alone", "unexpected", _losses(["poison"] * 5)),
    ("an innocent lost one worker to nothing known", "unexpected", _losses(["poison", "", "poison", "poison", "saboteur"])),
    ("poison is done", "unexpected", _change(0, 3, status="done", error=None)),
    ("a failing item is done", "unexpected", _change(0, 1, status="done", error=None)),
    ("an attempt ran out of time", "unexpected", _change(0, 1, error={"kind": "timeout"})),
    ("an item is missing", "unexpected", lambda records: _final(records)[2]["items"].clear()),
    ("a status does not follow", "unexpected", _rename(2, status="partial")),
    ("an order expired too early", "unexpected", _rename(2, status="expired")),
    ("nobody cancelled", "unexpected", lambda records: records.remove({"what": "cancel", "name": "chaos-2"})),
    ("counts are wrong", "unexpected", lambda records: _final(records)[2]["counts"].update(done=2)),
    ("an order ran that is not there", "unexpected", _add({"what": "ran", "order": "01B", "index": 0, "lease": "1-9"})),
    ("a process ended by itself", "unexpected", _add({"what": "unexpected", "message": "worker-a ended with 4"})),
    ("nothing was read in the end", "unexpected", lambda records: records.pop()),
    ("an order has not ended", "hung", _rename(2, status="running")),
]  # fmt: skip


MISTAKEN: list[tuple[str, Plant]] = [
    ("the saboteur killed five workers of an innocent", _losses(["saboteur"] * 5)),
    ("the saboteur killed one that an innocent had alone, after it ran beside poison", _losses(["poison"] * 4 + ["saboteur"])),
]


def run() -> int:
    """Prints what is not as it should be; the exit code."""
    faults = _complaints(Judge(sound()).judge(), None, "a sound journal")
    for sentence, plant in MISTAKEN:
        records = copy.deepcopy(sound())
        plant(records)
        verdict = Judge(records).judge()
        found = {wrong: getattr(verdict, wrong) for wrong in WRONGS if getattr(verdict, wrong)}
        if len(verdict.mistaken) != 1 or found:
            faults.append(f"{sentence}: {len(verdict.mistaken)} mistaken for poison, and {found}")
    for sentence, counter, plant in PLANTED:
        records = copy.deepcopy(sound())
        plant(records)
        faults += _complaints(Judge(records).judge(), counter, sentence)
    for fault in faults:
        print(fault)
    print(f"self-test: {len(PLANTED)} planted wrongs, {len(faults)} not found or found otherwise")
    return 1 if faults else 0


def _complaints(verdict: Verdict, counter: str | None, sentence: str) -> list[str]:
    found = {wrong: getattr(verdict, wrong) for wrong in WRONGS if getattr(verdict, wrong)}
    if counter is None:
        counts = (verdict.attempted, verdict.acknowledged, verdict.complete, verdict.recovered, verdict.repeated)
        return [] if not found and counts == (4, 2, 2, 2, 1) else [f"{sentence}: {counts}, {found}"]
    return [] if counter in found else [f"{sentence}: not {counter}, but {found or 'nothing'}"]
