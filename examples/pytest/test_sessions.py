"""What becomes of sessions when the clock is wrong, or the program is paused."""

import pathlib
import subprocess
import sys
import time

import pytest

PROGRAM = pathlib.Path(__file__).with_name("sessions.py")


@pytest.fixture
def ask(node):
    """The program in a node, and a way to ask it."""
    pipe = subprocess.PIPE
    program = node.run(sys.executable, PROGRAM, stdin=pipe, stdout=pipe, text=True)

    def ask(line):
        program.stdin.write(line + "\n")
        program.stdin.flush()
        return program.stdout.readline().strip()

    return ask


@pytest.mark.parametrize("by, answer", [("+11m", "over"), ("-1h", "valid")])
def test_sessions_last_by_the_wall_clock(node, ask, by, answer):
    session = ask("open")
    assert ask(f"ask {session}") == "valid"
    change = node.fault("jump", by)
    assert ask(f"ask {session}") == answer
    node.assert_read(change)


def test_a_session_is_valid_again_after_the_heal(node, ask):
    session = ask("open")
    node.fault("jump", "+1h")
    assert ask(f"ask {session}") == "over"
    node.heal()
    assert ask(f"ask {session}") == "valid"


def test_a_program_that_was_not_asked_has_not_read_the_fault(node, ask):
    ask("open")
    change = node.fault("jump", "+1h")
    with pytest.raises(AssertionError, match="has not read its clock"):
        node.assert_read(change)


def test_a_frozen_program_does_not_answer(node, ask):
    session = ask("open")
    begun = time.monotonic()
    pause = node.freeze("300ms")
    assert time.monotonic() - begun >= 0.3
    assert pause["thawed"]["actual_ns"] >= 300_000_000
    assert ask(f"ask {session}") == "valid"
