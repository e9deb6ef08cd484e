#!/usr/bin/env python3
"""One of three voters: voter.py PORT [--monotonic].

It gives its vote to one candidate at a time, for as long as a lease lasts, and gives none to another before that is over.
Whoever has the votes of two of three is the leader of a term, whose number is greater than those of all terms before.
"""
import sys
import time

import lab

LEASE = 0.6
port = int(sys.argv[1])
clock = time.monotonic if "--monotonic" in sys.argv else time.time
term, leader, until = 0, None, 0.0


def answer(candidate, number):
    global term, leader, until
    is_renewed = (candidate, number) == (leader, term)
    if is_renewed or number > term and clock() >= until:
        term, leader, until = number, candidate, clock() + LEASE
    return {"granted": (candidate, number) == (leader, term), "term": term}


lab.serve(port, answer).join()
