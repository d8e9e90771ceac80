"""Calls in threads whose errors do not keep request bodies in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from .error_response import RequestError

T = TypeVar("T")


async def in_thread(limiter: anyio.CapacityLimiter, function: Callable[..., T], *args: object) -> T:
    """Call a function in a thread.

    The traceback of an error refers to the body, and a future with an error is a reference cycle. Both would stay until
    the next garbage collection, outside the memory limit. So the thread returns a RequestError instead.
    """
    result = await anyio.to_thread.run_sync(partial(_result_of, function, *args), limiter=limiter)
    if not isinstance(result, RequestError):
        return result
    try:
        raise result
    finally:
        del result


def _result_of(function: Callable[..., T], *args: object) -> T | RequestError:
    try:
        return function(*args)
    except RequestError as error:
        return error.copy()
