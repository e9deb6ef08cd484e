#!/usr/bin/env python3
"""A store that leaders write to: store.py PORT [--terms].

With --terms it refuses a write of a term that is older than one that it has seen. Then it does not matter what a leader
believes, or what any clock shows: once the new leader has written, the old one cannot.
"""
import sys

import lab

port, terms = int(sys.argv[1]), "--terms" in sys.argv
newest = 0


def answer(writer, value, term):
    global newest
    taken = not terms or term >= newest
    newest = max(newest, term)
    lab.tell(writer, "write", "ok" if taken else "fail", value, token=term)
    return {"taken": taken}


lab.serve(port, answer).join()
