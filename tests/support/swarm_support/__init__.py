"""Real servers, real processes and real faults for the test suites: nothing here imitates Redis."""

from .acl import add_acl_user
from .cluster import Cluster
from .invariants import Ledger, Note, broken_invariants, check_invariants, check_obliterated, read_journal
from .processes import Answer, Driver, DriverFailure, Language
from .proxy import Proxy
from .redis_server import Redis
from .sentinel import Sentinels
from .tls import Certificates
from .waiting import wait_until
from .wall_clock import WallClock

__all__ = [
    "Answer",
    "Certificates",
    "Cluster",
    "Driver",
    "DriverFailure",
    "Language",
    "Ledger",
    "Note",
    "Proxy",
    "Redis",
    "Sentinels",
    "WallClock",
    "add_acl_user",
    "broken_invariants",
    "check_invariants",
    "check_obliterated",
    "read_journal",
    "wait_until",
]
