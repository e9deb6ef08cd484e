#!/usr/bin/env python3
"""Makes payments: server.py PORT [--idempotent]. Its ledger outlives it.

With --idempotent a payment's number is a key: what is in the ledger is answered again, and not made again. The key is in the
same line as the payment, so that no crash can come between the two.
"""
import os
import sys

import lab

port, idempotent = int(sys.argv[1]), "--idempotent" in sys.argv
ledger = open(os.path.join(os.environ["FALSETICKER_SCRATCH"], "ledger"), "a+")
ledger.seek(0)
made = {line.strip() for line in ledger}


def answer(payment):
    if idempotent and payment in made:
        return {"paid": payment}
    print(payment, file=ledger, flush=True)
    made.add(payment)
    lab.tell("server", "generate", "ok", payment)
    return {"paid": payment}


lab.serve(port, answer).join()
