#!/usr/bin/env python3
"""A Tray worker in Python, written from docs/protocol.md alone. examples/README.md says how to start it.

One thread owns the socket and never waits for a handler; each handler runs in a thread of its own.
"""
import argparse, contextlib, json, os, random, signal, sys, threading, time

import tray_pb2 as tray
import zmq


def handle(station, payload, stop):
    """Runs one item: answers the result's bytes, raises to fail, and looks at `stop` where it takes long."""
    if station == "upper":
        return payload.decode().upper().encode()
    if station in ("sleep", "grill", "fryer", "drinks"):
        stop.wait(json.loads(payload).get("seconds", 0))
    return payload


class Job(threading.Thread):
    """A lease, its handler, and the result until it is acknowledged."""

    def __init__(self, lease):
        super().__init__(daemon=True)
        self.lease, self.begin, self.result, self.sent_on = lease, time.monotonic(), None, None
        self.stop, self.reason = threading.Event(), None  # why: TIMEOUT, REVOKED or DRAINING
        self.start()

    def cease(self, reason):
        self.reason = self.reason or reason
        self.stop.set()

    def run(self):
        result = tray.ItemResult(lease=self.lease.lease, order=self.lease.order, index=self.lease.index)
        try:
            data = handle(self.lease.station, self.lease.payload.data, self.stop)
            if not self.reason:
                result.done.kind, result.done.data = tray.CONTENT_KIND_TEXT, data
            elif self.reason == "TIMEOUT":
                result.failed.error.kind = tray.FAILURE_KIND_TIMEOUT
            else:
                result.returned.reason = tray.Returned.Reason.Value("REASON_" + self.reason)
        except Exception as error:
            result.failed.error.kind = tray.FAILURE_KIND_FAILED
            result.failed.error.message = repr(error)[:1000]
        result.elapsed_us = int((time.monotonic() - self.begin) * 1e6)
        self.result = result  # the last thing: from here on the socket's thread sends it


class Worker:
    def __init__(self, options):
        self.options, self.instance, self.context = options, os.urandom(16), zmq.Context()
        self.jobs, self.socket, self.pause, self.drain_until = {}, None, 0.02, None  # jobs by lease as text

    def drain(self, *_):  # ten seconds for what runs; a second signal hurries
        self.drain_until, self.beat_at = time.monotonic() + (0 if self.drain_until else 10), 0

    def connect(self):
        """A fresh socket for every connection; the hello follows once it is there."""
        if self.socket:
            self.socket.close(linger=0)
            time.sleep(self.pause * random.uniform(0.5, 1))
            self.pause = min(self.pause * 2, 1)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)  # a send without a connection raises zmq.Again
        self.socket.setsockopt(zmq.MAXMSGSIZE, 4 << 20)
        self.socket.connect(self.options.kitchen)
        self.session, self.greeted, self.beat_at, self.patience, self.heard = 0, False, 0, 2, time.monotonic()

    def send(self, **body):
        message = tray.WorkerMessage(session=self.session, **body)
        self.socket.send_multipart([b"TRAY/1", message.SerializeToString()], zmq.DONTWAIT)

    def say_hello(self):
        versions = tray.VersionRange(lowest=1, highest=1)
        hello = tray.WorkerHello(versions=versions, name=self.options.name, instance=self.instance)
        for name, _, capacity in (station.partition("=") for station in self.options.station):
            hello.stations.add(station=name, capacity=int(capacity or 1))
        for job in self.jobs.values():
            claims = hello.held if job.result else hello.running
            claims.add(lease=job.lease.lease, order=job.lease.order, index=job.lease.index, started=True)
        self.send(hello=hello)

    def receive(self, message):
        if message.HasField("welcome"):
            self.session, self.pause = message.welcome.session, 0.02
            self.interval = message.welcome.heartbeat_interval_ms / 1000
            self.patience = 3 * self.interval * message.welcome.heartbeat_limit
        for lease in message.leases.leases:
            self.jobs[str(lease.lease)] = self.jobs.get(str(lease.lease)) or Job(lease)
        if message.HasField("leases"):
            self.send(started=tray.StartReport(leases=[lease.lease for lease in message.leases.leases]))
        for ack in message.acks.acks:
            self.jobs.pop(str(ack.lease), None)
        for revoke in message.revokes.revokes:
            if str(revoke.lease) in self.jobs:
                self.jobs[str(revoke.lease)].cease("REVOKED")
        if message.HasField("refusal"):
            print("refused:", message.refusal.message, file=sys.stderr, flush=True)
            raise ConnectionResetError

    def turn(self, now):
        """One turn of the loop. Raises where the connection is gone, stuck or silent."""
        for job in self.jobs.values():
            if now > job.begin + job.lease.timeout_ms / 1000:
                job.cease("TIMEOUT")
            if self.drain_until and now > self.drain_until:
                job.cease("DRAINING")
            if job.result and self.session and job.sent_on is not self.socket:
                self.send(results=tray.ResultBatch(results=[job.result]))
                job.sent_on = self.socket
        if self.session and now >= self.beat_at:
            self.send(heartbeat=tray.Heartbeat())
            self.beat_at = now + self.interval
            if self.drain_until:
                self.send(credit=tray.CreditReport(draining=True))
        if not self.greeted and self.socket.poll(0, zmq.POLLOUT):
            self.say_hello()
            self.greeted, self.heard = True, now
        if self.socket.poll(10):
            self.receive(tray.KitchenMessage.FromString(self.socket.recv_multipart()[1]))
            self.heard = time.monotonic()
        if self.greeted and time.monotonic() - self.heard > self.patience:
            raise ConnectionResetError

    def run(self):
        self.connect()
        while not self.drain_until or self.jobs and time.monotonic() < self.drain_until + 5:
            try:
                self.turn(time.monotonic())
            except (zmq.Again, ConnectionResetError):
                self.connect()
        with contextlib.suppress(zmq.Again):
            self.send(farewell=tray.Farewell())
        self.context.destroy(linger=1000)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A Tray worker in Python.")
    parser.add_argument("--kitchen", default=os.environ.get("TRAY_KITCHEN", "tcp://127.0.0.1:5571"))
    parser.add_argument("--name", default="python")
    parser.add_argument("--station", metavar="NAME=CAPACITY", action="append", required=True)
    worker = Worker(parser.parse_args())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.drain)
    worker.run()
