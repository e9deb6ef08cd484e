#!/usr/bin/env python3
"""Keeps what it has read for as long as it may: cache.py PORT ORIGIN [--monotonic].

The origin says for how long, as a length of time, and relies on it. The cache has to know when that is over. If it looks at its
wall clock, and that is put back by an hour, then it shows what is an hour old; if it is put forward, then everything has ended
early. A length of time is what the monotonic clock is for: it cannot be set.
"""
import sys
import time

import lab

port, origin = int(sys.argv[1]), lab.Link(int(sys.argv[2]))
clock = time.monotonic if "--monotonic" in sys.argv else time.time
value, until = None, 0.0


def answer():
    global value, until
    begun = clock()
    if begun >= until:
        found = origin.ask()
        value, until = found["value"], begun + found["lease"]
    return {"value": value, "date": lab.date()}


lab.serve(port, answer).join()
