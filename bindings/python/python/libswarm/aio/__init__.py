"""`Master` and `Worker` for asyncio: the same as in `libswarm`, with coroutines for all that waits.

```python
from libswarm.aio import Master, Worker

async with Master("mail", url="redis://localhost:6379") as master:
    await master.add_job({"user": 7})
```
"""

from .._native import Call, Job
from ..types import Added, Health, Stats
from .master import Master
from .worker import Worker

__all__ = ["Added", "Call", "Health", "Job", "Master", "Stats", "Worker"]
