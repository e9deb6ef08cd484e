#!/usr/bin/env python3
"""A worker: worker.py NAME MONITOR. It works on its shards one after another, tells the monitor that it is alive, and begins anew.

So its heartbeats are the farther apart the more shards it has.
"""
import sys
import time

import lab

# What a shard takes: its worker waits for a disk.
SHARD = 0.07
name, monitor = sys.argv[1], lab.Link(int(sys.argv[2]))
shards = 0
while True:
    before, shards = shards, monitor.ask(worker=name)["shards"]
    if shards != before:
        print(f"{name} works on {shards} shards", flush=True)
    for _ in range(shards):
        time.sleep(SHARD)
