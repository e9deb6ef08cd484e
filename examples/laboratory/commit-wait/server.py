#!/usr/bin/env python3
"""Commits transactions: server.py PORT [--commit-wait].

Each commit has a timestamp of this server's wall clock, which is off by no more than ERROR: that is promised. Two servers'
clocks differ, so a transaction that begins when another one is done, on another server, may get an earlier timestamp: whoever
reads the database as of an instant between the two sees the later one, and not the one that it was made upon.

With --commit-wait a server keeps its answer back until its timestamp is past on every clock that keeps the promise. Nobody can
build on what he does not know of, and who begins later is given more. (J. Corbett et al., Spanner: Google's
globally-distributed database, 2012.) It all rests on the promise: commit wait makes no clock better than it is.
"""
import sys
import time

import lab

ERROR = 0.02
port, commit_wait = int(sys.argv[1]), "--commit-wait" in sys.argv


def answer():
    timestamp = time.time() + ERROR
    while commit_wait and time.time() - ERROR <= timestamp:
        time.sleep(0.002)
    return {"timestamp": int(timestamp * 1e6)}


lab.serve(port, answer).join()
