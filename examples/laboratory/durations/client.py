#!/usr/bin/env python3
"""Measures how long its requests take: client.py NAME SERVER [--monotonic].

The difference of two looks at the wall clock is a length of time only if nobody sets it between them. A leap second does, and
an NTP daemon that steps: then a request took less than nothing. In the night of 2016's leap second a random number was to be
drawn below such a length, which no library does, and a part of Cloudflare's name servers broke down.
"""
import sys
import time

import lab

name, server = sys.argv[1], lab.Link(int(sys.argv[2]))
clock = time.monotonic if "--monotonic" in sys.argv else time.time
last = clock()
while True:
    server.ask()
    now = clock()
    lab.tell(name, "duration", "ok", now - last, date=lab.date())
    last = now
