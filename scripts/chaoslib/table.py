"""What a run came to: for people, and as one JSON object."""

import math
import textwrap
from collections import Counter, defaultdict
from typing import Any

from .journal import Record
from .judge import Verdict

WRONGS = ("lost", "duplicated", "unexpected", "hung")
WIDTH = 120  # of a line
SHOWN_MAX = 10  # sentences of each kind of wrong


def summary(verdict: Verdict, records: list[Record], run: dict[str, Any]) -> dict[str, Any]:
    """The JSON object. Times in seconds."""
    return {
        **run,
        "attempted": verdict.attempted,
        "acknowledged": verdict.acknowledged,
        "complete": verdict.complete,
        **{wrong: len(getattr(verdict, wrong)) for wrong in WRONGS},
        "recovered": verdict.recovered,
        "items": verdict.items,
        "statuses": _statuses(records),
        "executions": verdict.executions,
        "items_run_again": verdict.repeated,
        "mistaken_for_poison": len(verdict.mistaken),
        "elapsed_taken_back": len(verdict.taken_back),
        "elapsed_taken_back_max": round(max(verdict.taken_back.values(), default=0), 6),
        "faults": _faults(records),
        "recoveries": _recoveries(records),
        "wrongs": {wrong: getattr(verdict, wrong) for wrong in WRONGS},
    }


def table(summary: dict[str, Any]) -> str:
    """For people."""
    faults = summary["faults"]
    lines = [
        "orders     " + _pairs(summary, "attempted", "acknowledged", "complete", "recovered"),
        "wrong      " + _pairs(summary, *WRONGS),
        f"ends       {', '.join(f'{count} {status}' for status, count in summary['statuses'].items())}",
        f"items      {summary['items']}; of commands {summary['executions']} executions, "
        f"{summary['items_run_again']} items more than once; {summary['mistaken_for_poison']} mistaken for poison",
        f"elapsed    of {summary['elapsed_taken_back']} ended orders less after a kill, "
        f"by {summary['elapsed_taken_back_max'] * 1000:.1f} ms at most",
        *textwrap.wrap(
            f"faults     {sum(faults.values())}: " + ", ".join(f"{kind} {count}" for kind, count in faults.items()),
            width=WIDTH,
            subsequent_indent=" " * 11,
        ),
        "",
        f"{'recovery, in seconds':<58}{'runs':>5}{'p50':>8}{'p99':>8}{'max':>8}   undisturbed{'p50':>8}{'max':>8}",
    ]
    for of, figures in summary["recoveries"].items():
        every, alone = figures["all"], figures["undisturbed"]
        lines.append(
            f"{of:<58}{every['runs']:>5}{_time(every['p50'])}{_time(every['p99'])}{_time(every['max'])}"
            f"{alone['runs']:>14}{_time(alone['p50'])}{_time(alone['max'])}"
        )
    for wrong in WRONGS:
        sentences = summary["wrongs"][wrong]
        lines += ["", *(f"{wrong}: {sentence}" for sentence in sentences[:SHOWN_MAX])] if sentences else []
        if len(sentences) > SHOWN_MAX:
            lines.append(f"{wrong}: and {len(sentences) - SHOWN_MAX} more")
    return "\n".join(lines)


def _pairs(summary: dict[str, Any], *keys: str) -> str:
    return "  ".join(f"{key} {summary[key]}" for key in keys)


def _time(seconds: float | None) -> str:
    return f"{'-':>8}" if seconds is None else f"{seconds:>8.3f}"


def _statuses(records: list[Record]) -> dict[str, int]:
    final = [report for record in records if record["what"] == "final" for report in record["orders"]]
    return dict(Counter(report["status"] for report in final).most_common())


def _faults(records: list[Record]) -> dict[str, int]:
    """Those that were done: without those whose victim was not there."""
    counts = Counter(record["kind"] for record in records if record["what"] == "fault")
    counts.subtract(record["kind"] for record in records if record["what"] == "left out")
    return {kind: count for kind, count in sorted(counts.items()) if count > 0}


def _recoveries(records: list[Record]) -> dict[str, Any]:
    """Of each kind all runs, and those during which no other fault could be felt."""
    faults = [
        (record["at"], record["at"] + record["seconds"] + _felt_seconds(record["kind"]))
        for record in records
        if record["what"] == "fault"
    ]
    everything: dict[str, list[float]] = defaultdict(list)
    undisturbed: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record["what"] != "recovery":
            continue
        of, since, seconds = record["of"], record["since"], record["seconds"]
        everything[of].append(seconds)
        others = sum(begin <= since + seconds and end >= since for begin, end in faults)
        if others <= 1:  # its own
            undisturbed[of].append(seconds)
    return {
        of: {"all": _figures(everything[of]), "undisturbed": _figures(undisturbed[of])} for of in sorted(everything)
    }


def _felt_seconds(kind: str) -> float:
    """How long a fault can slow others down after its end: a started assembler leaves older items alone for 2 s."""
    return 3.0 if "assembler" in kind or "disk" in kind else 1.0


def _figures(values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)

    def quantile(share: float) -> float | None:
        return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None

    return {"runs": len(ordered), "p50": quantile(0.5), "p99": quantile(0.99), "max": quantile(1)}
