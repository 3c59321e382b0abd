"""A supervisor that obeys lines of JSON, and writes its events as such: name, monotonic seconds, fields."""

import dataclasses
import json
import os
import sys
import threading
import time
from typing import Any

import libswarm


def _shown(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name.name: _shown(getattr(value, name.name)) for name in dataclasses.fields(value)}
    return str(value) if isinstance(value, BaseException) else value


def _write(event: str, **fields: Any) -> None:
    # One write, because two threads write lines.
    os.write(1, (json.dumps({"event": event, "t": time.monotonic(), **fields}) + "\n").encode())


def _report(supervisor: libswarm.Supervisor) -> None:
    for event in supervisor:
        _write(event.event, **_shown(event))


def main() -> None:
    supervisor = libswarm.Supervisor(**json.loads(sys.argv[1]))
    reporter = threading.Thread(target=_report, args=(supervisor,))
    reporter.start()
    for line in sys.stdin:
        do = json.loads(line)
        match do["do"]:
            case "spawn":
                _write("spawned", ids=list(supervisor.spawn(*do["command"], **do["options"])))
            case "reload":
                try:
                    supervisor.reload()
                    _write("reload", error=None)
                except libswarm.SwarmError as error:
                    _write("reload", error=error.kind)
            case "stop":
                break
    supervisor.stop()
    _write("gone")
    reporter.join()


main()
