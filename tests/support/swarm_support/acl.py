"""A Redis user that may do what libswarm needs, and nothing else."""

from .redis_server import Redis

MINIMAL_ACL = "+@read +@write +@scripting +@connection +@blocking +info +time -@dangerous"


def add_acl_user(server: Redis, name: str, password: str, cluster: str, rules: str = MINIMAL_ACL) -> None:
    """Makes the user, whose keys are those of `cluster` only."""
    server.command("ACL", "SETUSER", name, "reset", "on", f">{password}", f"~{{{cluster}}}:*", *rules.split())
