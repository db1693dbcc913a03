"""Connects to HOST PORT and prints the result: `connected`, or the error's name.

With `--hold` it then prints what the connection receives within 8 s. Runs in the sandbox.
"""

import argparse
import socket


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--hold", action="store_true")
    arguments = parser.parse_args()
    try:
        with socket.create_connection((arguments.host, arguments.port), 1) as connection:
            print("connected", flush=True)
            if arguments.hold:
                connection.settimeout(8)
                print(f"told {connection.recv(1)}")
    except OSError as error:
        print(type(error).__name__)


if __name__ == "__main__":
    main()
