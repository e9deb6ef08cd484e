#!/usr/bin/env python3
"""Takes a token now and then, and shows the last three over and over: user.py NAME SERVER.

By everybody's account a token is over some time between half its life and twice its life after it was given out.
"""
import sys
import time

import lab

name, server = sys.argv[1], lab.Link(int(sys.argv[2]))
tokens = []
for _ in lab.every(0.02):
    if not tokens or time.monotonic() - tokens[-1]["since"] > 0.3:
        lab.tell(name, "write", "invoke", "good", key=len(tokens))
        given = server.ask()
        lab.tell(name, "write", "ok", "good", key=given["token"])
        tokens.append({"since": time.monotonic(), "ending": False, "over": False, **given})
    for token in tokens[-3:]:
        key, ending, age = token["token"], f"end of {token['token']}", time.monotonic() - token["since"]
        if not token["ending"] and age > token["life"] / 2:
            token["ending"] = True
            lab.tell(ending, "write", "invoke", "over", key=key)
        if token["ending"] and not token["over"] and age > token["life"] * 2:
            token["over"] = True
            lab.tell(ending, "write", "ok", "over", key=key)
        lab.tell(name, "read", "invoke", key=key)
        lab.tell(name, "read", "ok", "good" if server.ask(token=key)["good"] else "over", key=key)
