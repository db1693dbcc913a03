"""Prints what HTTP servers answer: ``fetch URL...``, the answers apart by NUL characters.

Runs in the sandbox, and in pods, which have no other program for it. Standard library only.
"""

import signal
import sys
from urllib.request import urlopen

_TIMEOUT = 10.0  # seconds


def main(urls: list[str]) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has enough (| head) is no error
    for number, url in enumerate(urls):
        with urlopen(url, timeout=_TIMEOUT) as answer:
            sys.stdout.write(("\0" if number else "") + answer.read().decode())


if __name__ == "__main__":
    main(sys.argv[1:])
