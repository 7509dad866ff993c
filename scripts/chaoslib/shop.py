"""An assembler and workers that are started again whenever they have ended, and the folder that they live in."""

import ctypes
import json
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import orders
from .journal import Journal
from .proxy import Proxy, Way

PR_SET_CHILD_SUBREAPER = 36
GUARDIAN = "tray-guardian"
PROGRAMS = ("assembler", "worker", "producer")
STOPPING_SECONDS_MAX = 30  # after SIGTERM: a worker drains for 3 s and says what it holds
# What a program says that breaks down instead of ending.
CRASH = re.compile(r"Fatal error|Crash|crashed|Precondition|Assertion|SIG(SEGV|ABRT|ILL|TRAP)|runtime failure|corrupt")


def free_ports(count: int) -> list[int]:
    """Ports for a server that is started again and again: none that the system gives to outgoing connections, by default."""
    ports: list[int] = []
    for port in random.sample(range(10_000, 32_000), 1_000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError(f"fewer than {count} free ports of 1,000 that were tried between 10000 and 32000")


def children_of(pid: int) -> list[int]:
    """Of all its threads."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in file.read_text().split()]
        except OSError:
            pass  # the thread has ended
    return found


def state_of(pid: int) -> tuple[str, str]:
    """Its name, and its state as one letter: Z has ended, T is stopped. Empty where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "", ""
    name = text[text.index("(") + 1 : text.rindex(")")]
    return name, text[text.rindex(")") + 2]


class Closed(Exception):
    """Nothing is started any more."""


@dataclass
class Service:
    """A process that is always to be there."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen | None = None
    started_at: float = 0.0
    # How this process may end: exit codes, and signals as negative numbers.
    allowed: set[int] = field(default_factory=set)
    asked_at: float | None = None
    # Not to be started before.
    down_until: float = 0.0
    # Freezes that have not ended: it goes on when the last of them has.
    freeze_count: int = 0

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None


class Shop:
    """Everything that is started is started here, and ended here."""

    def __init__(self, folder: Path, binaries: Path, store: Path, journal: Journal, worker_count: int) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what our processes leave behind becomes ours
        self.folder, self.binaries, self.store, self.journal = folder, binaries, store, journal
        self.proxy = Proxy()
        self._lock = threading.RLock()
        self._started: set[subprocess.Popen] = set()
        self._is_over = False
        self._crash_offsets: dict[Path, int] = {}
        # An assembler may end with 74 now, for want of room.
        self.is_disk_short = False
        self._write_configuration()
        ports = dict(zip(("orders", "kitchen", "events"), free_ports(3), strict=True))
        direct = {f"TRAY_{name.upper()}": f"tcp://127.0.0.1:{port}" for name, port in ports.items()}
        self._base = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "TRAY_STORE": str(store)}
        # Past every fault of a connection.
        self.direct = {**self._base, **direct}
        self.orders_way: Way = self.proxy.open_way("orders", ports["orders"])
        self.kitchen_ways: dict[str, Way] = {}
        self.assembler = Service(
            "assembler", [str(binaries / "assembler"), "--disk-reserve-mib", "8"], self.direct
        )
        self.workers: list[Service] = []
        for letter in "abcdefghijklmnopqrstuvwxyz"[:worker_count]:
            name = f"worker-{letter}"
            way = self.kitchen_ways[name] = self.proxy.open_way(name, ports["kitchen"])
            command = [str(binaries / "worker"), "--config", "worker.yaml", "--name", name, "--drain-timeout", "3s"]
            self.workers.append(Service(name, command, {**self._base, "TRAY_KITCHEN": way.endpoint}))

    def _write_configuration(self) -> None:
        (self.folder / "worker.yaml").write_text(json.dumps({"stations": orders.STATIONS}))
        (self.folder / "ledger.sh").write_text(orders.LEDGER)
        (self.folder / "ran").touch()
        (self.folder / "killed").touch()

    @property
    def services(self) -> list[Service]:
        return [self.assembler, *self.workers]

    # Producers

    def produce(
        self, *arguments: str, text: str = "", direct: bool = False, killed_after: float | None = None
    ) -> "Command":
        """Starts one, behind the proxy or past it, with this standard input; it may be killed after so many seconds."""
        environment = dict(self.direct)
        if not direct:
            environment["TRAY_ORDERS"] = self.orders_way.endpoint
        return Command(self, [str(self.binaries / "producer"), *arguments], environment, text, killed_after)

    def start(self, command: list[str], environment: dict[str, str], **streams: object) -> subprocess.Popen:
        """In a session of its own: a terminal's signals are for us.

        Raises `Closed` once everything is being ended.
        """
        with self._lock:
            if self._is_over:
                raise Closed
            process = subprocess.Popen(
                command, env=environment, cwd=self.folder, start_new_session=True, **streams  # type: ignore[call-overload]
            )
            self._started.add(process)
            return process

    def forget(self, process: subprocess.Popen) -> None:
        with self._lock:
            self._started.discard(process)

    # Services

    def look(self) -> None:
        """Starts what has ended and is to be there. Called every few milliseconds."""
        with self._lock:
            if self._is_over:
                return
            for service in self.services:
                process = service.process
                if process and process.poll() is not None:
                    self._note_end(service, process)
                    self.forget(process)
                    service.process = None
                if service.process is None and time.monotonic() >= service.down_until:
                    self._start(service)
                self._end_the_slow(service)
            self._collect_orphans()

    def _start(self, service: Service) -> None:
        with (self.folder / f"{service.name}.log").open("ab") as log:
            service.process = self.start(
                service.command, service.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        service.started_at = time.monotonic()
        service.allowed, service.asked_at, service.freeze_count = set(), None, 0
        self.journal.write("started", process=service.name, pid=service.process.pid)

    def _note_end(self, service: Service, process: subprocess.Popen) -> None:
        code = process.returncode
        self.journal.write("ended", process=service.name, pid=process.pid, code=code)
        if code in service.allowed:
            return
        if service is self.assembler and code == 74 and self.is_disk_short:
            return
        if service in self.workers and code == -signal.SIGKILL and self._was_poisoned(process.pid):
            return
        self.journal.unexpected(f"{service.name} ended by itself with {code}; allowed: {sorted(service.allowed)}")

    def _was_poisoned(self, pid: int) -> bool:
        return str(pid) in (self.folder / "killed").read_text().split()

    def _end_the_slow(self, service: Service) -> None:
        """Who was asked to stop and does not."""
        if service.pid is None or service.asked_at is None or service.freeze_count:
            return
        if time.monotonic() - service.asked_at > STOPPING_SECONDS_MAX:
            self.journal.hung(f"{service.name} did not stop within {STOPPING_SECONDS_MAX} s of SIGTERM")
            self.kill(service)

    def _collect_orphans(self) -> None:
        """Commands and guardians whose worker has died are our children, and end like everybody."""
        for pid in children_of(os.getpid()):
            name, state = state_of(pid)
            if state == "Z" and name not in PROGRAMS and not name.startswith("python"):
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass  # somebody else has waited for it

    # Faults

    def kill(self, service: Service) -> bool:
        """SIGKILL; returns when it is dead. False where nobody is there."""
        with self._lock:
            if service.pid is None or service.process is None:
                return False
            service.allowed.add(-signal.SIGKILL)
            service.process.kill()
            service.process.wait()
            if service in self.workers:
                self.journal.write("killed", worker=service.name)
            return True

    def ask_to_stop(self, service: Service) -> bool:
        """SIGTERM: a worker drains, an assembler closes."""
        with self._lock:
            if service.pid is None:
                return False
            service.allowed |= {0, 1} if service in self.workers else {0}
            first_moments = 1.0 if service in self.workers else 0.2
            if time.monotonic() - service.started_at < first_moments:
                service.allowed.add(-signal.SIGTERM)  # it does not know the signal yet, which just ends it
            service.asked_at = service.asked_at or time.monotonic()
            os.kill(service.pid, signal.SIGTERM)
            return True

    def freeze(self, service: Service) -> int | None:
        """The id of the process that stands still now."""
        with self._lock:
            if service.pid is None:
                return None
            service.freeze_count += 1
            os.kill(service.pid, signal.SIGSTOP)
            return service.pid

    def thaw(self, service: Service, pid: int) -> None:
        """Takes back one freeze of this process, where it is still there."""
        with self._lock:
            if service.pid != pid:
                return
            service.freeze_count -= 1
            if service.freeze_count == 0:
                os.kill(pid, signal.SIGCONT)

    def kill_guardian(self, worker: Service) -> bool:
        with self._lock:
            guardians = [
                pid for pid in children_of(worker.pid or 0) if state_of(pid)[0] == GUARDIAN
            ]
            for pid in guardians:
                os.kill(pid, signal.SIGKILL)
            return bool(guardians)

    # The end

    def look_for_crashes(self) -> None:
        """In what services have said since the last look."""
        for service in self.services:
            file = self.folder / f"{service.name}.log"
            if not file.exists():
                continue
            with file.open("rb") as log:
                log.seek(self._crash_offsets.get(file, 0))
                text = log.read().decode(errors="replace")
            self._crash_offsets[file] = self._crash_offsets.get(file, 0) + len(text.encode())
            for line in text.splitlines():
                if CRASH.search(line):
                    self.journal.unexpected(f"{service.name} said: {line[:300]}")

    def close_orderly(self) -> None:
        """Everything is well by now: workers and assembler end with 0."""
        for services in (self.workers, [self.assembler]):
            with self._lock:
                for service in services:
                    service.down_until = float("inf")
                    if self.ask_to_stop(service):
                        service.allowed = {0}
            deadline = time.monotonic() + STOPPING_SECONDS_MAX + 5
            while any(service.process for service in services) and time.monotonic() < deadline:
                self.look()
                time.sleep(0.02)

    def verify_store(self) -> None:
        command = [str(self.binaries / "assembler"), "verify", str(self.store)]
        verifying = Command(self, command, self.direct, "", None)
        said = [line.decode(errors="replace") for line in verifying.lines()]
        code, errors = verifying.finish()
        if code != 0:
            self.journal.unexpected(f"assembler verify ended with {code}: {' '.join(said)}{errors}")

    def end_all(self) -> None:
        """Ends whatever is there by its id, in every case."""
        with self._lock:
            self._is_over = True
            processes = list(self._started)
        for process in processes:
            if process.poll() is None:
                process.kill()
        for process in processes:
            process.wait()
        # The guardians end the commands now; what is left of both after a second is ended here.
        deadline = time.monotonic() + 1
        while (left := self._descendants()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass  # it was quicker
        self.proxy.close()

    def _descendants(self) -> list[int]:
        self._collect_orphans()
        return [pid for pid in children_of(os.getpid()) if state_of(pid)[1] != "Z"]


class Command:
    """A process that runs to its end, its standard output read as it comes."""

    def __init__(
        self, shop: Shop, command: list[str], environment: dict[str, str], text: str, killed_after: float | None
    ) -> None:
        self._shop = shop
        self.started_at = time.time()
        self.was_killed = False
        self._killer: threading.Timer | None = None
        self._errors = tempfile.TemporaryFile(dir=shop.folder)
        self.process = shop.start(
            command, environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        if killed_after is not None:
            self._killer = threading.Timer(killed_after, self._kill)
            self._killer.daemon = True
            self._killer.start()
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it was killed meanwhile

    def lines(self) -> Iterator[bytes]:
        """Of its output, as they come, until it ends; half a line of one that was killed is left out."""
        assert self.process.stdout
        return (line for line in self.process.stdout if line.endswith(b"\n"))

    def values(self) -> Iterator[Any]:
        """Its lines as JSON."""
        return (json.loads(line) for line in self.lines())

    def finish(self) -> tuple[int, str]:
        """Its exit code, negative for a signal, and what it said on standard error."""
        code = self.process.wait()
        if self._killer:
            self._killer.cancel()
        self._shop.forget(self.process)
        self._errors.seek(0)
        errors = self._errors.read().decode(errors="replace")
        self._errors.close()
        return code, errors

    def _kill(self) -> None:
        if self.process.poll() is None:
            self.was_killed = True
            self.process.kill()
