#!/usr/bin/env python3
"""A client of ZooKeeper, in the few words of its protocol that it takes: zookeeper.py WHAT PORT...

write       writes 1, 2, 3, ... to /key, by the first server until that fails, and then by one after another
draw        draws numbers in the same way: the versions that its writes to /ids make
read        reads /key from the first server
sync        the same, each time after a sync
"""
import itertools
import socket
import struct
import sys
import time

from operations import operation

PATIENCE = 0.5
PACE = {"write": 0.1}
PACE_OF_OTHERS = 0.02
UNTIL_IT_SERVES = 0.1
SESSION_MS = 10_000
CREATE, GET, SET, SYNC = 1, 4, 5, 9
NODE_EXISTS = -110
ANY_VERSION = -1


def text(data):
    return struct.pack(">i", len(data)) + data


class Connection:
    """A session. Requests whose answers do not come in time stay with the server; such answers are passed over when they come."""

    def __init__(self, port):
        self.stream = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.received = b""
        self.requests = 0
        # Protocol, last transaction seen, timeout, no session of before, its empty password.
        self.stream.sendall(text(struct.pack(">iqiq", 0, 0, SESSION_MS, 0) + text(bytes(16))))
        self.message()

    def message(self):
        while len(self.received) < 4 or len(self.received) < 4 + int.from_bytes(self.received[:4], "big"):
            more = self.stream.recv(65536)
            if not more:
                raise ConnectionError("it was closed")
            self.received += more
        end = 4 + int.from_bytes(self.received[:4], "big")
        message, self.received = self.received[4:end], self.received[end:]
        return message

    def ask(self, kind, path, rest=b""):
        self.requests += 1
        self.stream.sendall(text(struct.pack(">ii", self.requests, kind) + text(path) + rest))
        request = None
        while request != self.requests:
            answer = self.message()
            request, _, error = struct.unpack(">iqi", answer[:16])
        return error, answer[16:]


class Server:
    def __init__(self, port):
        self.port = port
        self.connection = None

    def ask(self, *request, but=()):
        try:
            self.connection = self.connection or Connection(self.port)
            error, answer = self.connection.ask(*request)
            if error and error not in but:
                raise ConnectionError(f"error {error}")
        except ConnectionError:
            self.connection = None
            raise
        return answer

    def makes(self, *paths):
        """Whether it serves by now, and has them."""
        try:
            for path in paths:
                self.create(path)
        except OSError:
            return False
        return True

    def create(self, path):
        # One entry: all rights, to anyone of the world.
        anyone = struct.pack(">ii", 1, 31) + text(b"world") + text(b"anyone")
        self.ask(CREATE, path, text(b"0") + anyone + struct.pack(">i", 0), but=(NODE_EXISTS,))

    def set(self, path, value):
        """The version that it has then."""
        status = self.ask(SET, path, text(str(value).encode()) + struct.pack(">i", ANY_VERSION))
        return struct.unpack(">i", status[32:36])[0]

    def get(self, path):
        answer = self.ask(GET, path, bytes(1))
        return int(answer[4 : 4 + int.from_bytes(answer[:4], "big")])

    def sync_and_get(self, path):
        self.ask(SYNC, path)
        return self.get(path)


what, *ports = sys.argv[1:]
turns = itertools.cycle([Server(port) for port in ports])
server = next(turns)
while not server.makes(b"/key", b"/ids"):
    time.sleep(UNTIL_IT_SERVES)


def write(number):
    server.set(b"/key", number)
    return number


for number in itertools.count(1):
    if what == "write":
        done = operation("write", number, lambda: write(number))
    elif what == "draw":
        done = operation("generate", None, lambda: server.set(b"/ids", number))
    else:
        get = server.sync_and_get if what == "sync" else server.get
        operation("read", None, lambda: get(b"/key"))
    if what in ("write", "draw") and done is None:
        server = next(turns)
    time.sleep(PACE.get(what, PACE_OF_OTHERS))
