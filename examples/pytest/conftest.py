"""A fixture for pytest: programs in a node of falseticker, whose clock a test steers, over the command line's --json.

Copy this file beside your tests. The command is the one in PATH, or that of $FALSETICKER.
"""

import itertools
import json
import os
import subprocess

import pytest

NUMBERS = itertools.count(1)
COMMAND = os.environ.get("FALSETICKER", "falseticker")


def falseticker(*words):
    """Gives a command; what it says, as an object. A refusal fails the test with its text: what, why, and what to do."""
    done = subprocess.run([COMMAND, *words, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or done.stdout
    return json.loads(done.stdout)


class Node:
    """Programs that share one false clock."""

    def __init__(self):
        self.name = f"pytest-{os.getpid()}-{next(NUMBERS)}"
        self.programs = []
        falseticker("create", self.name)

    def run(self, *command, **options):
        """Starts a program in the node; `options` are those of subprocess.Popen."""
        words = [COMMAND, "run", "--node", self.name, "--", *command]
        self.programs.append(subprocess.Popen(words, **options))
        return self.programs[-1]

    def fault(self, kind, *words):
        """A clock fault, `fault("jump", "-1h")`; the number of the change that it is."""
        return falseticker(kind, self.name, *words)["change"]

    def assert_read(self, change):
        """Fails unless every program of the node has read its clock under the change: by its own mark, not by ours."""
        processes = self.status()["processes"]
        assert processes, f"nobody of node {self.name} is there"
        for process in processes:
            assert not process["unknown"], f"what {process['command']} has read is not known"
            assert change not in process["unread"], f"{process['command']} has not read its clock since change {change}"

    def freeze(self, length):
        """Stops all of the node's programs for so long; comes back when they run again."""
        return falseticker("freeze", self.name, "--for", length)

    def heal(self):
        """A true clock again."""
        return falseticker("heal", self.name)

    def status(self):
        """Clocks, changes and processes."""
        [node] = falseticker("status", self.name)["nodes"]
        return node

    def close(self):
        """Ends the programs, and the node with them."""
        for program in self.programs:
            program.terminate()
        for program in self.programs:
            program.wait()
            for stream in (program.stdin, program.stdout, program.stderr):
                if stream:
                    stream.close()
        falseticker("remove", self.name)


@pytest.fixture
def node():
    """A node of its own for each test, which is gone afterwards however the test ends."""
    node = Node()
    yield node
    node.close()
