#!/usr/bin/env python3
"""Where a value is written and read: origin.py PORT. Who reads it may keep it for as long as a lease lasts.

Until then nobody changes it: a write waits for the end of all leases, and no new one is given out meanwhile. (C. Gray and D.
Cheriton, Leases: an efficient fault-tolerant mechanism for distributed file cache consistency, 1989.)
"""
import sys
import time

import lab

LEASE = 0.2
value, until, writers = None, 0.0, 0


def answer(write=None):
    global value, until, writers
    if write is None:
        lease = 0 if writers else LEASE
        until = max(until, time.monotonic() + lease)
        return {"value": value, "lease": lease}
    writers += 1
    while (left := until - time.monotonic()) > 0:
        lab.alone.wait(left)
    value, writers = write, writers - 1
    return {}


lab.serve(int(sys.argv[1]), answer).join()
