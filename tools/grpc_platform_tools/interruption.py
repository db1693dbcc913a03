"""Ends a command in order, so that no process or file of it stays behind."""

import signal
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def ended_in_order() -> Generator[None]:
    """Let SIGTERM, and a terminal that closes, end the command as Ctrl-C does."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    numbers = [signal.SIGTERM, signal.SIGHUP]
    heard = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
