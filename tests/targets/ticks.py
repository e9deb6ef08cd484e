# Ticks in the ways of Python's library; see tests/programs/waits/ticker.rs for what it is told and answers.
# All of them count the monotonic clock.

import asyncio
import os
import queue
import sys
import threading
import time

PERIOD = 0.05
counts = {}


def tick(name, wait):
    counts[name] = 0

    def forever():
        while True:
            wait()
            counts[name] += 1

    threading.Thread(target=forever, daemon=True).start()


condition = threading.Condition()
nothing = queue.Queue()


def on_condition():
    with condition:
        condition.wait(PERIOD)


def on_queue():
    try:
        nothing.get(timeout=PERIOD)
    except queue.Empty:
        pass


async def on_loop():
    counts["asyncio"] = 0
    while True:
        await asyncio.sleep(PERIOD)
        counts["asyncio"] += 1


tick("sleep", lambda: time.sleep(PERIOD))
tick("Condition.wait", on_condition)
tick("queue.get", on_queue)
threading.Thread(target=lambda: asyncio.run(on_loop()), daemon=True).start()

print("ready", os.getpid(), flush=True)
for line in sys.stdin:
    if line.strip() == "ticks":
        print(*(f"{name}:{count}:0" for name, count in counts.items()), flush=True)
    else:
        print("woken", flush=True)
os._exit(0)
