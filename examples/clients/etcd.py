#!/usr/bin/env python3
"""A client of etcd, by its HTTP gateway: etcd.py WHAT PORT...

write                 makes the first member the leader, and writes 1, 2, 3, ... to one key, by that member until it fails, and then
                      by one after another
read                  reads the key from the first member
read-serializable     the same, and the member answers from what it has itself, without asking the others
"""
import base64
import http.client
import itertools
import json
import sys
import time

from operations import operation

PATIENCE = 0.5
PATIENCE_AT_FIRST = 10
PACE = {"write": 0.1}
PACE_OF_OTHERS = 0.02
KEY = {"key": base64.b64encode(b"key").decode()}


class Member:
    def __init__(self, port, patience=PATIENCE):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)

    def ask(self, what, **request):
        try:
            self.connection.request("POST", f"/v3/{what}", json.dumps(request))
            answer = self.connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise OSError(text)
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise OSError from error
        return json.loads(text)

    def own_id_and_leaders(self):
        status = self.ask("maintenance/status")
        return status["header"]["member_id"], status["leader"]

    def put(self, value):
        self.ask("kv/put", **KEY, value=base64.b64encode(str(value).encode()).decode())
        return value

    def get(self, is_serializable):
        found = self.ask("kv/range", **KEY, serializable=is_serializable)["kvs"]
        return int(base64.b64decode(found[0]["value"]))


def make_leader(ports):
    first, *others = [Member(port, PATIENCE_AT_FIRST) for port in ports]
    own, leader = first.own_id_and_leaders()
    for other in others:
        if leader == other.own_id_and_leaders()[0]:
            other.ask("maintenance/transfer-leadership", targetID=own)


what, *ports = sys.argv[1:]
if what == "write":
    make_leader(ports)
turns = itertools.cycle([Member(port) for port in ports])
member = next(turns)
for number in itertools.count(1):
    if what == "write":
        if operation("write", number, lambda: member.put(number)) is None:
            member = next(turns)
    else:
        operation("read", None, lambda: member.get(what == "read-serializable"))
    time.sleep(PACE.get(what, PACE_OF_OTHERS))
