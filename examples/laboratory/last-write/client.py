#!/usr/bin/env python3
"""Reads a value and writes another one, over and over: client.py NAME STORE [--versions].

The last write wins: but which is the last? Here it is the one with the greatest stamp, and the stamp is what the writer's wall
clock shows. Whoever has a clock that is behind writes in vain: the store has something of a later time already, and drops what
it is sent, without an error, for as long as the clock is behind.

With --versions the stamp is the number after the one that was read. Who has read what is there writes what comes next, by
whatever clock; who was overtaken is refused, and knows it.
"""
import itertools
import sys
import time

import lab

name, store, versions = sys.argv[1], lab.Link(int(sys.argv[2])), "--versions" in sys.argv
for number in itertools.count():
    lab.tell(name, "read", "invoke")
    found = store.ask()
    lab.tell(name, "read", "ok", found["value"])
    # It thinks about what it has read.
    time.sleep(0.025)
    value = f"{name}-{number} of {lab.date()}"
    lab.tell(name, "write", "invoke", value)
    stamp = found["stamp"] + 1 if versions else time.time_ns()
    taken = store.ask(write=value, stamp=stamp)["taken"]
    lab.tell(name, "write", "fail" if versions and not taken else "ok", value)
