#!/usr/bin/env python3
"""Who wants the lock: client.py NAME PORT MARGIN, of the lock server; or client.py NAME PORT MARGIN LEASE, of redis.

Whoever has the lock renews it when its renewal margin of the lease is over, MARGIN seconds after it last renewed, by its wall
clock; until then, and while the lease is good by that clock, it takes itself for the holder. Who has not asks again and again.

How far back may the holder's wall clock be stepped? Its last renewal was at t; its next one is due at t + MARGIN by its
clock, which a step back by d puts off until t + MARGIN + d. The lock goes to the other one at t + LEASE. So both hold it as soon
as d is greater than LEASE - MARGIN, whenever in between the step comes: with a lease of 2 s and a margin of 0.5 s the threshold is 1.5 s.
"""
import json
import signal
import socket
import sys
import time

name, port, margin = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
ended = False


class Server:
    """The lock server beside this file."""

    def __init__(self):
        self.lines = socket.create_connection(("127.0.0.1", port)).makefile("rw")

    def ask(self, word):
        print(word, name, file=self.lines, flush=True)
        answer = self.lines.readline().strip()
        return 0.0 if answer in ("no", "ok") else float(answer)


class Redis:
    """Redis: SET NX PX to acquire; to renew and to release, scripts that look whose it is."""

    MINE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call({}) else return 0 end"
    RENEW, RELEASE = MINE.format("'pexpire', KEYS[1], ARGV[2]"), MINE.format("'del', KEYS[1]")

    def __init__(self):
        self.stream = socket.create_connection(("127.0.0.1", port)).makefile("rwb")
        self.lease = float(sys.argv[4])

    def call(self, *words):
        request = b"*%d\r\n" % len(words)
        for word in map(str.encode, map(str, words)):
            request += b"$%d\r\n%s\r\n" % (len(word), word)
        self.stream.write(request)
        self.stream.flush()
        return self.stream.readline().strip()

    def ask(self, word):
        milliseconds = int(self.lease * 1000)
        if word == "acquire":
            answer = self.call("SET", "lock", name, "NX", "PX", milliseconds)
        else:
            script = self.RENEW if word == "renew" else self.RELEASE
            answer = self.call("EVAL", script, 1, "lock", name, milliseconds)
        if answer.startswith(b"-"):
            sys.exit(answer.decode())
        return self.lease if answer in (b"+OK", b":1") else 0.0


def tell(op, phase):
    said = {"op": op, "phase": phase, "process": name, "value": None, "lease": "lock", "mono_ns": time.monotonic_ns()}
    print(json.dumps(said), flush=True)


def acquire(lock):
    tell("acquire", "invoke")
    asked = time.time()
    lease = lock.ask("acquire")
    tell("acquire", "ok" if lease else "fail")
    return asked, lease


def hold(lock, renewed, lease):
    while not ended:
        now = time.time()
        if now >= renewed + lease:
            return
        if now >= renewed + margin:
            if not lock.ask("renew"):
                return
            renewed = now
        tell("hold", "ok")
        time.sleep(0.005)


def end(*_):
    global ended
    ended = True


signal.signal(signal.SIGTERM, end)
lock = Redis() if len(sys.argv) > 4 else Server()
while not ended:
    renewed, lease = acquire(lock)
    if lease:
        hold(lock, renewed, lease)
        tell("release", "invoke")
        lock.ask("release")
        tell("release", "ok")
    else:
        time.sleep(0.005)
