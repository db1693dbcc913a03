"""Shows progress on a terminal, once a step takes noticeably long."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console

_PATIENCE = 1.0
"""Seconds before it shows anything."""


@contextmanager
def progress(message: str) -> Generator[Callable[[str], None]]:
    """Show `message` on stderr while the block runs; the yielded function changes it. Nothing is
    shown when stderr is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    status = console.status(message, spinner="line")
    timer = threading.Timer(_PATIENCE, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda text: status.update(text)
    finally:
        timer.cancel()
        timer.join()
        status.stop()
