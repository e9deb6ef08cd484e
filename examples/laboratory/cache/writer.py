#!/usr/bin/env python3
"""Writes to the origin: writer.py NAME ORIGIN."""
import itertools
import sys

import lab

name, origin = sys.argv[1], lab.Link(int(sys.argv[2]))
for number, _ in zip(itertools.count(1), lab.every(0.1)):
    lab.tell(name, "write", "invoke", number)
    origin.ask(write=number)
    lab.tell(name, "write", "ok", number)
