#!/usr/bin/env python3
"""A client that pays, over and over: client.py NAME SERVER.

When no answer comes, a client cannot know why. The request was lost, or the answer was, or the server is slow and will do it
yet: all three look the same, and in two of them the payment is made. So it asks again until there is an answer, and what the
server makes of that decides.
"""
import sys

import lab

PATIENCE = 0.5
name, server = sys.argv[1], int(sys.argv[2])
number = 1


def is_paid(payment):
    try:
        lab.ask(server, PATIENCE, payment=payment)
    except OSError as why:
        print(f"{payment}: no answer ({why}). Is it paid?", flush=True)
        return False
    print(f"{payment} is paid", flush=True)
    return True


for _ in lab.every(0.02):
    if is_paid(f"{name}-{number}"):
        number += 1
