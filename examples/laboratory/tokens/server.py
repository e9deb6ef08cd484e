#!/usr/bin/env python3
"""Gives out tokens that are good for a fifth of a second, and says whether they are: server.py PORT [--monotonic].

What it writes down of a token is the instant at which it ends. If that is one of the wall clock, then a clock that is put back makes
tokens good again that were over, and one that is put forward ends all of them at once.
"""
import sys
import time

import lab

LIFE = 0.2
clock = time.monotonic if "--monotonic" in sys.argv else time.time
ends = []


def answer(token=None):
    if token is None:
        ends.append(clock() + LIFE)
        return {"token": len(ends) - 1, "life": LIFE, "date": lab.date()}
    return {"good": clock() < ends[token]}


lab.serve(int(sys.argv[1]), answer).join()
