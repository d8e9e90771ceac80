"""A FastAPI service for two workers: an answer, an HTTPException and a failure."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.get("/orders/{number}")
async def order(number: int) -> dict[str, int]:
    """Return an order; there is none with the number 0."""
    await asyncio.sleep(0)
    if number == 0:
        raise HTTPException(404, "no such order")
    return {"number": number}


@app.post("/orders")
async def place_order() -> None:
    """Fail."""
    raise RuntimeError("the warehouse is closed")
