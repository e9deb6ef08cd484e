"""A connection to redis, by its protocol."""
import socket

from operations import Refused


class Connection:
    def __init__(self, port, timeout):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout)
        self.answers = self.stream.makefile("rb")

    def ask(self, *words):
        self.stream.sendall(" ".join(map(str, words)).encode() + b"\r\n")
        return self.answer()

    def answer(self):
        line = self.answers.readline().decode()
        if not line:
            raise ConnectionError("it was closed")
        kind, rest = line[0], line[1:].rstrip()
        if kind == "-":
            # READONLY, LOADING, ...: all of them before anything is done.
            raise Refused(rest)
        if kind == "*":
            return [self.answer() for _ in range(int(rest))]
        if kind == "$":
            return None if rest == "-1" else self.answers.read(int(rest) + 2)[:-2].decode()
        return int(rest) if kind == ":" else rest
