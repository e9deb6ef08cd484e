"""What a client tells of itself: each operation as lines of JSON, when it begins and when it ends. Its node says who it is."""
import json
import time


class Refused(Exception):
    """The server has said that it was not done."""


def tell(op, phase, value=None, **fields):
    said = {"op": op, "phase": phase, "value": value, "mono_ns": time.monotonic_ns(), **fields}
    print(json.dumps({name: what for name, what in said.items() if what is not None}), flush=True)


def operation(op, value, does, **fields):
    """Does it, and tells of it. What came of it; None if it was not done, or if nobody knows.

    The value is what it is done with; without one it is what came of it.
    """
    tell(op, "invoke", value, **fields)
    try:
        result = does()
    except Refused:
        tell(op, "fail", value, **fields)
    except OSError:
        # Also a timeout: whoever has waited for an answer does not know.
        tell(op, "info", value, **fields)
    else:
        tell(op, "ok", result if value is None else value, **fields)
        return result
    return None
