#!/usr/bin/env python3
"""A storage of one number: storage.py PORT [--fencing]. It tells of all that it does.

"read NAME" is answered with the number; "write NAME NUMBER TOKEN" with "ok". With --fencing a write whose token is older
than one that was seen is refused.
"""
import json
import socketserver
import sys
import threading
import time

port, fencing = int(sys.argv[1]), "--fencing" in sys.argv
alone = threading.Lock()
number, newest = 0, 0


def tell(op, phase, name, value, **fields):
    said = {"op": op, "phase": phase, "process": name, "value": value, "mono_ns": time.monotonic_ns(), **fields}
    print(json.dumps(said), flush=True)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        global number, newest
        for line in self.rfile:
            word, name, *arguments = line.decode().split()
            with alone:
                if word == "read":
                    tell("read", "ok", name, number)
                    answer = number
                else:
                    value, token = map(int, arguments)
                    refused = fencing and token < newest
                    newest = max(newest, token)
                    if not refused:
                        number = value
                    tell("write", "fail" if refused else "ok", name, value, token=token)
                    answer = "refused" if refused else "ok"
            self.wfile.write(f"{answer}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", port), Handler).serve_forever()
