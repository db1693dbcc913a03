"""`python -m grpc_platform.monitoring` prints the rules as a file that Prometheus reads."""

import argparse
import sys

import yaml

from .rules import DASHBOARD_URL, RUNBOOK_URL, groups


def main(arguments: list[str]) -> int:
    """Print the rules; returns the exit status."""
    parser = argparse.ArgumentParser("python -m grpc_platform.monitoring", description=__doc__)
    parser.add_argument(
        "--runbook-url", default=RUNBOOK_URL, help="the folder of the runbooks, docs/runbooks"
    )
    parser.add_argument("--dashboard-url", default=DASHBOARD_URL, help="your Grafana")
    links = parser.parse_args(arguments)
    found = groups(
        runbook_url=links.runbook_url.rstrip("/"), dashboard_url=links.dashboard_url.rstrip("/")
    )
    sys.stdout.write(yaml.safe_dump({"groups": found}, sort_keys=False, width=100))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
