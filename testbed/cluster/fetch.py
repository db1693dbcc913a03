"""Prints the answers of HTTP servers, separated by NUL characters: ``fetch URL...``.

Runs in the sandbox, and in pods, which have no other HTTP client. Standard library only.
"""

import signal
import sys
from urllib.request import urlopen

_TIMEOUT = 10.0  # seconds


def main(urls: list[str]) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader may stop early (| head)
    for number, url in enumerate(urls):
        with urlopen(url, timeout=_TIMEOUT) as answer:
            sys.stdout.write(("\0" if number else "") + answer.read().decode())


if __name__ == "__main__":
    main(sys.argv[1:])
