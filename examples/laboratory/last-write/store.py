#!/usr/bin/env python3
"""A store of one value: store.py PORT. Of two writes it keeps the one with the greater stamp, whichever comes last."""
import sys

import lab

value, newest = None, 0


def answer(write=None, stamp=0):
    global value, newest
    taken = write is not None and stamp > newest
    if taken:
        value, newest = write, stamp
    return {"value": value, "stamp": newest, "taken": taken}


lab.serve(int(sys.argv[1]), answer).join()
