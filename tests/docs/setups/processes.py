from pathlib import Path

Path("worker").write_text("#!/bin/sh\necho >/dev/fd/$SWARM_READY_FD\nexec sleep 60\n")
Path("worker").chmod(0o755)
# BLOCK
