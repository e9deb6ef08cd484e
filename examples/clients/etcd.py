#!/usr/bin/env python3
"""A client of etcd, by its HTTP gateway: etcd.py WHAT PORT...

leader                says which of the members leads: m0, m1, ...
write                 writes 1, 2, 3, ... to one key, by the leader until that fails, and then by one after another
read                  reads the key, always from the member that led when it began; or from the only one that is named
read-serializable     the same, and the member answers from what it has itself, without asking the others
"""
import base64
import http.client
import itertools
import json
import sys
import time

from operations import operation

PATIENCE = 0.3
PACE = 0.02
KEY = {"key": base64.b64encode(b"key").decode()}


class Member:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

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

    def leads(self):
        status = self.ask("maintenance/status")
        return status["leader"] == status["header"]["member_id"]

    def put(self, value):
        self.ask("kv/put", **KEY, value=base64.b64encode(str(value).encode()).decode())
        return value

    def get(self, is_serializable):
        found = self.ask("kv/range", **KEY, serializable=is_serializable)["kvs"]
        return int(base64.b64decode(found[0]["value"]))


what, members = sys.argv[1], [Member(port) for port in sys.argv[2:]]
first = 0 if len(members) == 1 else [member.leads() for member in members].index(True)
if what == "leader":
    print(f"m{first}")
    sys.exit()
turns = itertools.cycle(members[first:] + members[:first])
member = next(turns)
for number in itertools.count(1):
    if what == "write":
        if operation("write", number, lambda: member.put(number)) is None:
            member = next(turns)
    else:
        operation("read", None, lambda: member.get(what == "read-serializable"))
    time.sleep(PACE)
