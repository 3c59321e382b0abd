"""A wall clock that a test sets while the processes that read it run."""

import subprocess
from functools import cache
from pathlib import Path


class WallClock:
    """Processes started with its `environment` see the time of the machine plus `offset`. Monotonic clocks are left alone."""

    def __init__(self, folder: Path, offset: float = 0) -> None:
        self._file = folder / "wall-clock"
        self.step(offset)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment."""
        return {
            # A redis-server with jemalloc asks for the time while jemalloc starts, which asks libfaketime, which allocates, which
            # waits for jemalloc. With this library, which is glibc's own, `malloc` is that of glibc.
            "LD_PRELOAD": f"libc_malloc_debug.so.0:{_library()}",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # Without this a step is seen up to 10 s late.
            "FAKETIME_NO_CACHE": "1",
            # No system call moves these clocks; `DONT_FAKE_MONOTONIC` is the name before version 0.9.8.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, offset: float) -> None:
        """Sets the clock to the time of the machine plus `offset` seconds, at once and for all its processes."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{offset:+.3f}\n")
        # A process reads the file at any moment, and must not find half of it.
        written.rename(self._file)


@cache
def _library() -> str:
    """The library that `faketime` would load, in the variant for programs with threads."""
    asked = subprocess.run(["faketime", "-m", "-f", "+0s", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True)
    return asked.stdout.strip()
