#!/usr/bin/env python3
"""Wants numbers: client.py NAME GENERATOR."""
import sys

import lab

name, generator = sys.argv[1], lab.Link(int(sys.argv[2]))
for _ in lab.every(0.005):
    lab.tell(name, "generate", "invoke")
    lab.tell(name, "generate", "ok", generator.ask()["id"])
