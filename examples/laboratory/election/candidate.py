#!/usr/bin/env python3
"""A candidate: candidate.py NAME STORE VOTER VOTER VOTER [--monotonic]. While it leads, it writes to the store.

A leader must be the only one. This one has a lease from a majority of the voters: until its end they elect nobody else, and the
leader counts from before it asked, so that its lease ends before theirs. It renews the lease when half of it is over, and looks
at its clock before each write. That rests on two beliefs:

- that its clock and the voters' run alike. A wall clock is stepped, by NTP or by hand: a leader whose clock is put back
  believes in its lease long after the voters have elected another one. A monotonic clock is never stepped.
- that what it does takes place when it has looked. A pause (a garbage collection, a virtual machine that is moved) may lie
  between the look and the write, and then the write comes from a leader who is none any more. No clock helps against that.
"""
import sys
import time

import lab

LEASE = 0.6
name = sys.argv[1]
store, *voters = (int(word) for word in sys.argv[2:6])
clock = time.monotonic if "--monotonic" in sys.argv else time.time
voters = [lab.Link(voter) for voter in voters]
highest = 0


def elected(term):
    """Asks for the votes; the instant until which they are given, by the own clock, or none."""
    global highest
    begun = clock()
    answers = [voter.ask(candidate=name, number=term) for voter in voters]
    highest = max(answer["term"] for answer in answers)
    votes = sum(answer["granted"] for answer in answers)
    return begun + LEASE if votes > len(voters) / 2 else None


print(f"{name} is a candidate", flush=True)
term = None
for _ in lab.every(0.02):
    if term is None:
        term = highest + 1
        until = elected(term)
        if until is None:
            term = None
            continue
        lab.tell(name, "acquire", "ok", term)
    if until - clock() < LEASE / 2:
        until = elected(term) or until
    leads = clock() < until
    if leads:
        lab.tell(name, "hold", "ok", term)
        leads = lab.ask(store, writer=name, value=lab.date(), term=term)["taken"]
    if not leads:
        lab.tell(name, "release", "ok", term)
        term = None
