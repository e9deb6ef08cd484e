#!/usr/bin/env python3
"""A client of PostgreSQL, by psql: postgresql.py WHAT PORT (of its tables: postgresql.sql)

ledger      reads a number, and adds one to it if nobody else has done so since
draw        draws numbers from a sequence
clock       asks for the server's time, and for how long ago an order came in
append      appends 1, 2, 3, ... to a log whose entries bear the time at which they were made
latest      reads the latest entry, by that time
"""
import itertools
import subprocess
import sys
import time

from operations import Refused, operation

PACE = 0.02
DONE = "done"
TIME = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint"
AGE = "select extract(epoch from clock_timestamp() - made) from orders where id = "
LATEST = "select entry from log order by made desc limit 1"

what, port = sys.argv[1:]
command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "postgres"]
psql = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(statement):
    """The value that it answers, if any, once it is done."""
    print(f"{statement};\n\\echo {DONE}", file=psql.stdin, flush=True)
    value = psql.stdout.readline().strip() or sys.exit("psql has ended")
    line = value
    while line != DONE:
        line = psql.stdout.readline().strip() or sys.exit("psql has ended")
    return value


def add(number):
    if ask(f"update ledger set number = {number + 1} where number = {number} returning number") == DONE:
        raise Refused("it is another number by now")
    return number + 1


if what == "clock":
    order = ask("insert into orders default values returning id")
for number in itertools.count(1):
    if what == "ledger":
        read = operation("read", None, lambda: int(ask("select number from ledger")))
        operation("cas", [read, read + 1], lambda: add(read))
    elif what == "draw":
        operation("generate", None, lambda: int(ask("select nextval('ids')")))
    elif what == "clock":
        operation("timestamp", None, lambda: int(ask(TIME)))
        operation("duration", None, lambda: float(ask(AGE + order)))
    elif what == "append":
        operation("write", number, lambda: ask(f"insert into log values ({number})"))
    elif what == "latest":
        operation("read", None, lambda: int(ask(LATEST)))
    time.sleep(PACE)
