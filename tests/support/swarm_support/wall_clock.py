"""A wall clock that a test sets while the processes that read it run."""

from pathlib import Path

# In the variant for programs with threads. The loader replaces `$LIB` by the folder of this machine's libraries.
_LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1"
_SHARED_MEMORY = Path("/dev/shm")


class WallClock:
    """Processes started with its `environment` see the time of the machine plus `offset`. Monotonic clocks are left alone."""

    def __init__(self, folder: Path, offset: float = 0) -> None:
        _remove_leftovers()
        self._file = folder / "wall-clock"
        self.step(offset)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment."""
        return {
            # A redis-server with jemalloc asks for the time while jemalloc starts, which asks libfaketime, which allocates, which
            # waits for jemalloc. With this library, which is glibc's own, `malloc` is that of glibc.
            "LD_PRELOAD": f"libc_malloc_debug.so.0:{_LIBRARY}",
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


def _remove_leftovers() -> None:
    """Removes what libfaketime shares with children, of processes that were killed. It refuses to start in a process that has the
    id of one of them."""
    for kind in ("faketime_shm_", "sem.faketime_sem_"):
        for file in _SHARED_MEMORY.glob(f"{kind}*"):
            pid = file.name.removeprefix(kind)
            if pid.isdigit() and not Path("/proc", pid).exists():
                file.unlink(missing_ok=True)
