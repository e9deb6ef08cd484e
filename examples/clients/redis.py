#!/usr/bin/env python3
"""A client of redis, by sentinel: redis.py NAME TIMEOUT SENTINEL... [--wait]

It asks the sentinels for the master, and stays with that until a request fails. By turns it reads a key of its own,
writes 1, 2, 3, ... to it, and draws a number from a counter of all. TIMEOUT is in seconds; without one (0) it waits for an answer
for as long as that takes. With --wait only what a replica has too is taken to be done.
"""
import itertools
import sys
import time

from operations import Refused, operation
from resp import Connection

PACE = 0.02
WAIT_MS = 300


class Master:
    """The master, whoever that is by now."""

    def __init__(self, timeout, sentinels, is_waiting):
        self.timeout, self.sentinels, self.is_waiting = timeout, sentinels, is_waiting
        self.connection = None

    def ask(self, *words):
        try:
            if self.connection is None:
                self.connection = Connection(self.find(), self.timeout)
            return self.connection.ask(*words)
        except (OSError, Refused):
            self.connection = None
            raise

    def find(self):
        for sentinel in self.sentinels:
            try:
                return int(Connection(sentinel, 1).ask("sentinel get-master-addr-by-name set")[1])
            except OSError:
                pass
        raise ConnectionError("no sentinel answers")

    def change(self, *words):
        answer = self.ask(*words)
        if self.is_waiting and not self.is_replicated():
            raise TimeoutError("no replica has it")
        return answer

    def is_replicated(self):
        try:
            return self.ask("wait 1", WAIT_MS) > 0
        except Refused:
            # It is no master any more. What was asked for before is done, and perhaps lost.
            return False


words = [word for word in sys.argv[1:] if word != "--wait"]
name, timeout = words[0], float(words[1]) or None
master = Master(timeout, words[2:], "--wait" in sys.argv)
numbers = itertools.count(1)


def write():
    number = next(numbers)
    return operation("write", number, lambda: master.change("set", name, number), key=name)


def read():
    return operation("read", None, lambda: int(master.ask("get", name)), key=name)


def draw():
    return operation("generate", None, lambda: master.change("incr ids"))


while write() is None:
    pass
while True:
    # If one fails, the next that is done is a read: whoever has lost the master looks what there is.
    all(step() is not None for step in (read, write, draw))
    time.sleep(PACE)
