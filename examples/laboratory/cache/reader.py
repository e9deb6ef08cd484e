#!/usr/bin/env python3
"""Reads from the cache: reader.py NAME CACHE."""
import sys

import lab

name, cache = sys.argv[1], lab.Link(int(sys.argv[2]))
for _ in lab.every(0.01):
    lab.tell(name, "read", "invoke")
    lab.tell(name, "read", "ok", cache.ask()["value"])
