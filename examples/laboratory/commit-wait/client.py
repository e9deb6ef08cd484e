#!/usr/bin/env python3
"""Commits on one server, and then on the next: client.py NAME SERVER... Each transaction begins when the one before is done."""
import itertools
import sys

import lab

name, servers = sys.argv[1], [lab.Link(int(port)) for port in sys.argv[2:]]
for server, _ in zip(itertools.cycle(servers), lab.every(0.003)):
    lab.tell(name, "timestamp", "invoke", key="database")
    lab.tell(name, "timestamp", "ok", server.ask()["timestamp"], key="database")
