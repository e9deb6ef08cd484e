#!/usr/bin/env python3
"""A lock with a lease: lock.py PORT SECONDS. It reckons by its monotonic clock, and stays true to it.

"acquire NAME" and "renew NAME" are answered with the lease's length if NAME has the lock from then on, or with "no".
"release NAME" is answered with "ok". SIGTERM: it serves whoever is connected until all have left.
"""
import signal
import socketserver
import sys
import threading
import time

port, lease = int(sys.argv[1]), float(sys.argv[2])
alone = threading.Lock()
holder, until = None, 0.0


def answer(word, name):
    global holder, until
    with alone:
        now = time.monotonic()
        if now >= until:
            holder = None
        is_granted = holder == name if word == "renew" else word == "acquire" and holder in (None, name)
        if is_granted:
            holder, until = name, now + lease
        elif word == "release" and holder == name:
            holder = None
        return "ok" if word == "release" else lease if is_granted else "no"


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(f"{answer(*line.decode().split())}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


with Server(("127.0.0.1", port), Handler) as server:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)
