#!/usr/bin/env python3
"""A lock in redis: lock.py PORT. Over and over it takes the lock for half a minute at most, holds it for 0.2 s, and gives it back."""
import itertools
import os
import sys
import time

from operations import operation, tell
from resp import Connection

TERM_MS = 30_000
HOLDS, PACE = 20, 0.01
RELEASE = "eval \"return redis.call('get',KEYS[1])==ARGV[1] and redis.call('del',KEYS[1]) or 0\" 1 lock"

redis = Connection(int(sys.argv[1]), None)
for number in itertools.count(1):
    token = f"{os.getpid()}-{number}"

    def acquire():
        while redis.ask("set lock", token, "nx px", TERM_MS) is None:
            time.sleep(PACE)
        return token

    operation("acquire", None, acquire)
    for _ in range(HOLDS):
        time.sleep(PACE)
        tell("hold", "ok")
    operation("release", token, lambda: redis.ask(RELEASE, token))
