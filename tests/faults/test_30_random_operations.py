"""Fault 30: random operations, crashes, calls that come twice or late, and clock steps, judged by a model of the scripts."""

import os
import subprocess
from pathlib import Path

import pytest
from evidence import Evidence

ROOT = Path(__file__).resolve().parents[2]
TEST = "tests::model::whatever_comes_in_whatever_order_every_step_follows_the_rules"
# What `make test-core` has built: another selection of packages has other features and is built again.
BUILT = ["--workspace", "--exclude", "libswarm-python", "--exclude", "libswarm-node", "--exclude", "documented"]
# The seeds are stored in the test: so many runs, each of these steps.
RUNS = 5
STEPS = 6_000
LONG_STEPS = 200_000


def judge(steps: int, evidence: Evidence) -> None:
    ran = subprocess.run(
        ["cargo", "test", "--quiet", *BUILT, "--lib", "--", "--exact", TEST],
        cwd=ROOT,
        env={**os.environ, "SWARM_MODEL_STEPS": str(steps), "RUST_BACKTRACE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2000:]
    assert "1 passed" in ran.stdout, ran.stdout
    evidence.measured("steps", RUNS * steps)


def test_every_step_follows_the_rules(evidence: Evidence) -> None:
    judge(STEPS, evidence)


@pytest.mark.long
def test_every_step_of_long_runs_follows_the_rules(evidence: Evidence) -> None:
    judge(LONG_STEPS, evidence)
