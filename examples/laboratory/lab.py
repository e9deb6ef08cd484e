"""What the programs of the laboratory share: requests over the loopback, and operations for the history.

A request is a line of JSON, and so is its answer. A server gives one answer at a time, so its state needs no other care; one
that has to wait for something first says `alone.wait()`, and others are answered meanwhile.
"""
import json
import socket
import socketserver
import threading
import time
from datetime import datetime

alone = threading.Condition()


class Link:
    """A connection to whoever listens to a port. With a patience (in seconds), an answer that takes longer is a TimeoutError."""

    def __init__(self, port, patience=None):
        self.lines = socket.create_connection(("127.0.0.1", port), patience).makefile("rw")

    def ask(self, **request):
        print(json.dumps(request), file=self.lines, flush=True)
        answer = self.lines.readline()
        if not answer:
            raise ConnectionError("the other side has closed the connection")
        return json.loads(answer)


def ask(port, patience=None, **request):
    """One request, by a connection of its own."""
    link = Link(port, patience)
    try:
        return link.ask(**request)
    finally:
        link.lines.close()


def serve(port, answer):
    """Gives `answer(**request)` to each request, in threads beside the caller's; join what it returns to do nothing else."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                with alone:
                    said = answer(**json.loads(line))
                self.wfile.write(json.dumps(said).encode() + b"\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request, address):
            """Whoever has asked is gone: that is no trouble of the server's."""

    thread = threading.Thread(target=Server(("127.0.0.1", port), Handler).serve_forever, daemon=True)
    thread.start()
    return thread


def tell(process, op, phase, value=None, **fields):
    """A line of the history: who did what, when, and what came of it."""
    said = {"op": op, "phase": phase, "process": process, "value": value, "mono_ns": time.monotonic_ns(), **fields}
    print(json.dumps(said) + "\n", end="", flush=True)


def date():
    """What the wall clock shows, for people to read: no program here decides anything by it."""
    return datetime.now().isoformat(timespec="milliseconds")


def every(seconds):
    """Rounds without end, so far apart: how often a program does what it does."""
    while True:
        yield
        time.sleep(seconds)
