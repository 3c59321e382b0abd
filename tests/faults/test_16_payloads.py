"""Fault 16: payloads at the edges. Bytes are equal in every pair of producer and consumer, or adding fails with a typed error;
no member crashes. Empty, NUL, invalid UTF-8 and the limit are conformance scenarios (payload_bytes, payload_default_limit);
here are the values that are hard to write or to read as JSON, as a program of each language would pass them."""

from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Language, Redis
from team import Team

LANGUAGES = list(Language)
# The texts that stand for the values.
TEXTS = {
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "big": b"9007199254740993",
    "surrogate": b'"\\ud800"',
    "nan": b"NaN",
}


@pytest.mark.parametrize("consumer", LANGUAGES)
@pytest.mark.parametrize("producer", LANGUAGES)
def test_hard_values_arrive_or_are_refused(
    server: Redis, tmp_path: Path, producer: Language, consumer: Language, evidence: Evidence
) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master(producer)
        worker = team.worker(consumer)
        for name, text in TEXTS.items():
            # JSON.stringify, which assemblage 0.1 used as well, writes NaN as null.
            expected = b"null" if (name, producer) == ("nan", Language.NODE) else text
            added = master.ask("add_value", value=name)
            if not added.ok:
                assert added.code == "INVALID_ARGUMENT", f"{name}: {added.fields}"
                continue
            team.ledger.add([added["id"]], expected)
            event = worker.event()
            while event is not None and event["event"] == "ready":
                event = worker.event()
            assert event is not None, f"{name} never arrived"
            assert bytes.fromhex(event["payload"]) == expected
        assert (master.alive, worker.alive) == (True, True)
        evidence.measured("values that arrived, of 4", len(team.ledger.added), at_least=2)
        team.check(master, evidence)


@pytest.mark.parametrize("producer", [Language.PYTHON, Language.NODE])
def test_values_that_json_cannot_represent_are_refused(server: Redis, tmp_path: Path, producer: Language) -> None:
    """C and Rust programs pass JSON as text, which libswarm does not parse."""
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master(producer)
        refused = "nan" if producer == Language.PYTHON else "big"
        assert master.ask("add_value", value=refused).code == "INVALID_ARGUMENT"
