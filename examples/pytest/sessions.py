"""The program under test: sessions that last for ten minutes, by the wall clock. Reads "open" and "ask ID", a line each."""

import sys
import time

MINUTES = 60.0
sessions = {}
for line in sys.stdin:
    word, *rest = line.split()
    if word == "open":
        sessions[str(len(sessions))] = time.time() + 10 * MINUTES
        print(len(sessions) - 1, flush=True)
    else:
        print("valid" if time.time() < sessions[rest[0]] else "over", flush=True)
