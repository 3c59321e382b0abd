"""A web service whose slow work runs as jobs: uvicorn app:app"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from libswarm import SwarmError, SwarmJobFailed, SwarmNotFound, SwarmTimeout
from libswarm.aio import JobOptions, Master
from pydantic import BaseModel


class Order(BaseModel):
    customer: str
    prices: list[float]
    seconds: float = 0.2  # how long the work takes; an order of yours has none


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ.get("REDIS_URL", "redis://localhost:6379")
    async with Master("shop", url=url) as app.state.master:  # one for each process, made in its event loop
        yield


def master_of(request: Request) -> Master:
    master: Master = request.app.state.master
    return master


app = FastAPI(lifespan=lifespan)
Jobs = Annotated[Master, Depends(master_of)]


@app.post("/invoices")
async def invoice(order: Order, jobs: Jobs) -> Any:
    """Adds a job, and answers with its result."""
    try:
        return await jobs.run(order, task="invoice", retries=2, timeout=10)
    except SwarmJobFailed as error:
        raise HTTPException(422, str(error)) from error
    except SwarmTimeout as error:  # only the wait has ended; the job continues
        raise HTTPException(504, "the invoice takes longer than 10 s") from error


@app.post("/invoices/later", status_code=202)
async def invoice_later(order: Order, jobs: Jobs, idempotency_key: Annotated[str | None, Header()] = None) -> dict[str, str]:
    """Adds a job, and answers with its id. A client that repeats its request sends the same key: one job is added."""
    options: JobOptions = {"task": "invoice", "retries": 2, "result": True, "result_ttl": 3600}
    if idempotency_key:
        options["unique"] = {"key": idempotency_key, "until": 86_400}
    added = await jobs.add(order, **options)
    return {"id": added.id}


@app.get("/invoices/{id}")
async def invoice_of(id: str, response: Response, jobs: Jobs, wait: Annotated[float, Query(gt=0, le=30)] = 0.1) -> Any:
    """Answers with the result of a job, or with 202 if it is not there within `wait` seconds."""
    try:
        return await jobs.result(id, timeout=wait)
    except SwarmTimeout:
        response.status_code = 202
        return {"id": id}
    except SwarmNotFound as error:  # never added, or its result is older than `result_ttl`
        raise HTTPException(404) from error
    except SwarmJobFailed as error:
        raise HTTPException(422, str(error)) from error


@app.get("/health")
async def health(jobs: Jobs) -> dict[str, Any]:
    """Answers from memory, without a call to Redis."""
    state = jobs.health()
    if not state.healthy:
        raise HTTPException(503, state.error_message)
    return {"pid": os.getpid(), "added": state.added}


@app.exception_handler(SwarmError)
async def unavailable(request: Request, error: SwarmError) -> Response:
    """No job was added, or it is not known whether one was: the client may repeat its request."""
    return Response(str(error), 503 if error.retryable else 500)
