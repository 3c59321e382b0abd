"""Free TCP ports that stay free: below the range from which the system takes ports for outgoing connections."""

import random
import socket

_LOW, _HIGH = 12_000, 22_000
# A node of a Redis Cluster also listens on its port + 10,000.
BUS_OFFSET = 10_000


def free_port() -> int:
    """A port on which, with its cluster bus port, nothing listens now."""
    for _ in range(100):
        port = random.randrange(_LOW, _HIGH)
        if _is_free(port) and _is_free(port + BUS_OFFSET):
            return port
    raise RuntimeError(f"no free port found between {_LOW} and {_HIGH}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
