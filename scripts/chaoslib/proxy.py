"""Ways to ports of loopback that can be made bad: a TCP proxy on a thread of its own."""

import random
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable

_PIECE_BYTES_MAX = 1 << 16
_WAITING_BYTES_MAX = 1 << 20
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class _Half:
    """One direction of a connection: what was read and is to be written, each piece from its time on."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.pieces: deque[tuple[float, bytes]] = deque()
        self.waiting_bytes = 0
        self.is_over = False

    def due_at(self) -> float | None:
        return self.pieces[0][0] if self.pieces else None

    def read(self, delay: float) -> None:
        try:
            piece = self.source.recv(_PIECE_BYTES_MAX)
        except BlockingIOError:
            return
        if not piece:
            self.is_over = True
            return
        self.pieces.append((time.monotonic() + delay, piece))
        self.waiting_bytes += len(piece)

    def write(self, now: float) -> None:
        while self.pieces and self.pieces[0][0] <= now:
            due, piece = self.pieces[0]
            try:
                count = self.sink.send(piece)
            except BlockingIOError:
                return
            self.waiting_bytes -= count
            if count < len(piece):
                self.pieces[0] = (due, piece[count:])
                return
            self.pieces.popleft()


class _Connection:
    """One client's connection, and ours to the server for it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.sockets = (client, server)
        self.halves = (_Half(client, server), _Half(server, client))
        self.swallows = False
        self.is_open = True


class Way:
    """A port that leads to another one. Its methods may be called from any thread."""

    def __init__(self, proxy: "Proxy", name: str, server_port: int) -> None:
        self.name = name
        self.server_port = server_port
        self.delay = 0.0
        self.connections: list[_Connection] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.listener.setblocking(False)
        self.endpoint = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self._proxy = proxy

    def cut_all(self) -> None:
        """Ends every connection with a reset. New ones are taken."""
        self._proxy.call(lambda: [self._proxy.end(self, each) for each in list(self.connections)])

    def cut_one(self, rng: random.Random) -> None:
        choice = rng.random()

        def cut() -> None:
            if self.connections:
                self._proxy.end(self, self.connections[int(choice * len(self.connections))])

        self._proxy.call(cut)

    def set_delay(self, seconds: float) -> None:
        """Every piece lies here so long, in either direction."""
        self._proxy.call(lambda: setattr(self, "delay", seconds))

    def swallow(self) -> None:
        """From now on every connection that there is stays open and loses every byte. New ones are good."""

        def begin() -> None:
            for each in self.connections:
                each.swallows = True

        self._proxy.call(begin)

    def reset_swallowing(self) -> None:
        """Ends the connections that lose every byte: what was lost can never be missing in the middle."""
        self._proxy.call(lambda: [self._proxy.end(self, each) for each in list(self.connections) if each.swallows])


class Proxy:
    """The thread that owns all ways and their connections."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._calls: deque[Callable[[], object]] = deque()
        self._wake_up, self._ring = socket.socketpair()
        self._wake_up.setblocking(False)
        self._ring.setblocking(False)
        self._selector.register(self._wake_up, selectors.EVENT_READ, None)
        self._ways: list[Way] = []
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def open_way(self, name: str, server_port: int) -> Way:
        """A free port that leads to `server_port`, where nobody needs to listen yet."""
        way = Way(self, name, server_port)

        def add() -> None:
            self._ways.append(way)
            self._selector.register(way.listener, selectors.EVENT_READ, way)

        self.call(add)
        return way

    def call(self, work: Callable[[], object]) -> None:
        """Does it on the proxy's thread, soon."""
        self._calls.append(work)
        try:
            self._ring.send(b"x")
        except (BlockingIOError, OSError):
            pass  # it is awake, or closed

    def close(self) -> None:
        self.call(lambda: setattr(self, "_is_closed", True))
        self._thread.join(timeout=5)

    def end(self, way: Way, connection: _Connection) -> None:
        """With a reset. On the proxy's thread only."""
        if not connection.is_open:
            return
        connection.is_open = False
        way.connections.remove(connection)
        for each in connection.sockets:
            try:
                self._selector.unregister(each)
            except KeyError:
                pass  # nothing was wanted of it
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            each.close()

    # On the thread

    def _run(self) -> None:
        while not self._is_closed:
            for key, _ in self._selector.select(self._pause()):
                if key.fileobj is self._wake_up:
                    self._take_calls()
                elif isinstance(key.data, Way):
                    self._accept(key.data)
            now = time.monotonic()
            for way in self._ways:
                for connection in list(way.connections):
                    self._work(way, connection, now)
        for way in self._ways:
            way.listener.close()
            for connection in list(way.connections):
                self.end(way, connection)

    def _take_calls(self) -> None:
        try:
            self._wake_up.recv(4096)
        except BlockingIOError:
            pass
        while self._calls:
            self._calls.popleft()()

    def _pause(self) -> float:
        """Until the next piece that waits for its time; a second at most."""
        now = time.monotonic()
        pause = 1.0
        for way in self._ways:
            for connection in way.connections:
                for half in connection.halves:
                    due = half.due_at()
                    if due is not None and due > now:
                        pause = min(pause, due - now)
        return pause

    def _accept(self, way: Way) -> None:
        try:
            client, _ = way.listener.accept()
        except OSError:
            return
        server = socket.socket()
        for each in (client, server):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.connect_ex(("127.0.0.1", way.server_port))  # a refusal shows when it is read
        way.connections.append(_Connection(client, server))

    def _work(self, way: Way, connection: _Connection, now: float) -> None:
        try:
            for half in connection.halves:
                if half.waiting_bytes < _WAITING_BYTES_MAX:
                    half.read(way.delay)
                if connection.swallows:
                    half.pieces.clear()
                    half.waiting_bytes = 0
                half.write(now)
        except OSError:
            self.end(way, connection)
            return
        # A half-open connection does not even pass on that one side has closed it.
        if not connection.swallows and any(half.is_over and not half.pieces for half in connection.halves):
            self.end(way, connection)
            return
        self._want(connection, now)

    def _want(self, connection: _Connection, now: float) -> None:
        """Asks to be told of what can be done next."""
        for index, each in enumerate(connection.sockets):
            incoming, outgoing = connection.halves[index], connection.halves[1 - index]
            events = 0
            if incoming.waiting_bytes < _WAITING_BYTES_MAX and not incoming.is_over:
                events |= selectors.EVENT_READ
            due = outgoing.due_at()
            if due is not None and due <= now:
                events |= selectors.EVENT_WRITE
            known = self._selector.get_map().get(each)
            if known is None:
                if events:
                    self._selector.register(each, events, connection)
            elif not events:
                self._selector.unregister(each)
            elif known.events != events:
                self._selector.modify(each, events, connection)
