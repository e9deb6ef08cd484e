#!/usr/bin/env python3
"""Watches workers, and gives the shards of dead ones to others: monitor.py PORT WORKER... [--phi].

Nobody can tell a dead worker from a slow one. This monitor declares a worker dead that has been silent for TIMEOUT, which is
well above what a worker needs for its own shards. But the next worker gets those of the dead one on top of its own, is slower
from then on, and is declared dead in its turn, in the best of health; its shards go to the third one, and so on. One pause of
one worker is felt all around the ring.

With --phi there is no limit in seconds. How long a silence has to be depends on how far apart this worker's heartbeats have
been, and on how much that varied: the suspicion is phi = 1 if one silence in ten is that long, 2 if one in a hundred, and so
on. It falls on who has stopped, and grows patient with who is slow. (N. Hayashibara et al., The phi accrual failure detector,
2004.)
"""
import collections
import math
import statistics
import sys
import time

import lab

TIMEOUT = 0.5
# What Cassandra and Akka advise for machines that one shares.
THRESHOLD = 12
SHARDS = 4
port, phi = int(sys.argv[1]), "--phi" in sys.argv
workers = [word for word in sys.argv[2:] if word != "--phi"]
last, alive = {}, set(workers)
gaps = {name: collections.deque(maxlen=20) for name in workers}


def suspicion(gaps, silence):
    """Phi: gaps are taken to be distributed normally, and never to vary by less than a quarter of their mean."""
    mean = statistics.fmean(gaps)
    deviation = max(statistics.pstdev(gaps), mean / 4)
    chance = math.erfc((silence - mean) / deviation / math.sqrt(2)) / 2
    return -math.log10(chance) if chance > 0 else math.inf


def is_dead(name, silence):
    if phi:
        return len(gaps[name]) > 2 and suspicion(gaps[name], silence) > THRESHOLD
    return silence > TIMEOUT


def owner(home):
    """Who works on the shards of a worker: itself, or the first after it that is alive."""
    first = workers.index(home)
    return next((name for name in workers[first:] + workers[:first] if name in alive), None)


def answer(worker):
    """A heartbeat; the answer says on how many shards to work now."""
    now = time.monotonic()
    if worker in last:
        gaps[worker].append(now - last[worker])
    if worker not in last or worker not in alive:
        lab.tell("monitor", "alive", "ok", worker)
    last[worker] = now
    alive.add(worker)
    return {"shards": SHARDS * sum(owner(home) == worker for home in workers)}


lab.serve(port, answer)
for _ in lab.every(0.01):
    with lab.alone:
        for name in sorted(alive & last.keys()):
            if is_dead(name, time.monotonic() - last[name]):
                alive.remove(name)
                lab.tell("monitor", "dead", "ok", name)
