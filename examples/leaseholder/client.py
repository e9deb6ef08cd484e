#!/usr/bin/env python3
"""A client: client.py NAME LOCK STORAGE. Over and over it takes the lock, reads the number, and writes one more.

It writes only while its lease is good, by its own clock: that is all that it knows.
"""
import json
import socket
import sys
import time

name, lock, storage = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def connect(port):
    return socket.create_connection(("127.0.0.1", port)).makefile("rw")


def ask(server, line):
    print(line, file=server, flush=True)
    return server.readline().split()


def tell(op, phase, value):
    said = {"op": op, "phase": phase, "process": name, "value": value, "mono_ns": time.monotonic_ns()}
    print(json.dumps(said), flush=True)


lock, storage = connect(lock), connect(storage)
while True:
    tell("acquire", "invoke", None)
    token, lease = ask(lock, f"acquire {name}")
    until = time.time() + float(lease)
    tell("acquire", "ok", token)
    [number] = ask(storage, f"read {name}")
    if time.time() < until:
        ask(storage, f"write {name} {int(number) + 1} {token}")
    tell("release", "invoke", token)
    ask(lock, f"release {token}")
    tell("release", "ok", token)
