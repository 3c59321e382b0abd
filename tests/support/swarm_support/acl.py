"""A Redis user with the permissions that docs/guides/operations.md lists for libswarm, and nothing else."""

import re
from pathlib import Path

from .redis_server import Redis

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "operations.md"


def minimal_acl() -> list[str]:
    """The permissions in the example on the page, so that the page is what is tested."""
    found = re.search(r"ACL SETUSER \S+ on .*?```", _PAGE.read_text(), re.DOTALL)
    assert found is not None, f"{_PAGE.name} shows no ACL SETUSER"
    return re.findall(r"\+\S+", found[0])


def add_acl_user(server: Redis, name: str, password: str, cluster: str) -> None:
    """Makes the user, whose keys are those of `cluster` only."""
    server.command("ACL", "SETUSER", name, "reset", "on", f">{password}", f"~{{{cluster}}}:*", *minimal_acl())
