#!/usr/bin/env python3
"""Gives out numbers that nobody else gives out: generator.py PORT MACHINE [--never-back].

As Twitter's Snowflake does it: milliseconds of the wall clock, then the machine's number, then a count of those that were given
out in this millisecond. Machines need not talk to each other for that. But where a clock is put back it shows the same
milliseconds again, and the same numbers are given out again.

With --never-back the generator remembers the last millisecond, and goes on from there until its clock has come by.
"""
import sys
import time

import lab

port, machine, never_back = int(sys.argv[1]), int(sys.argv[2]), "--never-back" in sys.argv
last, count = 0, 0


def answer():
    global last, count
    now = time.time_ns() // 1_000_000
    if never_back:
        now = max(now, last)
    count = count + 1 if now == last else 0
    # A millisecond has room for 4096 numbers: after that it is the next one's turn.
    last, count = now + count // 4096, count % 4096
    return {"id": last << 22 | machine << 12 | count}


lab.serve(port, answer).join()
