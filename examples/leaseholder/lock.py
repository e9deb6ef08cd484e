#!/usr/bin/env python3
"""A lock service with leases: lock.py PORT SECONDS. Each lease has a token, greater than all before.

"acquire NAME" is answered with "TOKEN SECONDS" once the lock is free, or its lease has run out; "release TOKEN" with "ok".
"""
import socketserver
import sys
import threading
import time

port, lease = int(sys.argv[1]), float(sys.argv[2])
changed = threading.Condition()
token, until = 0, 0.0


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        global token, until
        for line in self.rfile:
            word, argument = line.decode().split()
            with changed:
                if word == "acquire":
                    while (left := until - time.monotonic()) > 0:
                        changed.wait(left)
                    token, until = token + 1, time.monotonic() + lease
                    answer = f"{token} {lease}"
                else:
                    if int(argument) == token:
                        until = 0.0
                        changed.notify()
                    answer = "ok"
            self.wfile.write(f"{answer}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", port), Handler).serve_forever()
