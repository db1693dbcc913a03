"""The end of a program: it waits for all outputs at once, in place of Pulumi's SDK."""

import asyncio
import gc
from typing import Any

from pulumi.runtime.settings import SETTINGS


async def await_outputs() -> None:
    """Wait until all outputs of the program are known: `pulumi.run(grpc_platform.await_outputs)`.

    The SDK also waits for them, but it looks at all outstanding outputs whenever one is known
    (`pulumi.runtime.stack.wait_for_rpcs`): the time grows with the square of the resources.

    The first failure ends the wait without an error. The SDK then reports it as always.
    """
    sdk: Any = SETTINGS  # descriptors are not in its type
    outstanding: set[asyncio.Task[object]] = sdk.outputs
    # What the program has registered lives until its end: collections need not look at it again.
    gc.freeze()
    try:
        while pending := list(outstanding):
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
            if any(task.cancelled() or task.exception() for task in done):
                return
            outstanding.difference_update(done)
    finally:
        gc.unfreeze()
