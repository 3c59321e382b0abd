"""What the measured Python programs share: commands on standard input, answers on standard output, the payload."""

import sys

CALL = 10_000
"""Jobs in one call that adds in bulk."""
IN_FLIGHT = 1_000
"""Adds under way at once when jobs are added one by one."""
SLOTS = 1_000
"""Slots of a worker."""
FIRST = 1_000_000_000
"""Number of the first job."""


def payload(number):
    """115 bytes as JSON."""
    return {"n": number, "to": "somebody@example.org", "text": "the quick brown fox jumps over the lazy dog, every single day"}


def say(*words):
    """Answers the harness."""
    print(*words, flush=True)


def commands():
    """The commands as they come: a name and numbers."""
    while line := sys.stdin.readline():
        name, *numbers = line.split()
        yield name, *map(int, numbers)
