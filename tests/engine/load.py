"""Calls that flow while something is changed: 500 a second, by both policies, and streams."""

from collections import Counter
from typing import Any

from experiments.experiment import count_failed
from experiments.lab import Lab
from testbed.load.clients import Client

_CLIENTS = {
    "round_robin": ("--policy=round_robin", "--channels=6"),
    "pick_first": ("--policy=pick_first", "--channels=12"),
    "streams": ("--policy=round_robin", "--channels=6", "--stream=2s", "--interval=100ms"),
}
_DEADLINE = "--deadline=14.5s"  # the contract's for the default deadline of 15 s


class Load:
    """Clients of each kind that call from entry to exit."""

    def __init__(self, lab: Lab, rate: int = 250) -> None:
        self._lab = lab
        self._rate = f"--rate={rate}"  # calls a second of each unary client
        self._clients: dict[str, Client] = {}
        self.reports: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "Load":
        for name, arguments in _CLIENTS.items():
            service = "streams" if name == "streams" else "load"
            targets = {"envoy": self._lab.target(service)}
            rate = () if name == "streams" else (self._rate,)
            self._clients[name] = self._lab.client(*arguments, *rate, _DEADLINE, targets=targets)
        for client in self._clients.values():
            self._lab.wait_until_running(client)
        return self

    def __exit__(self, *failed: object) -> None:
        for name, client in self._clients.items():
            if any(failed):
                client.remove()
            else:
                self.reports[name] = client.stop()["targets"]["envoy"]

    def account(self) -> dict[str, Any]:
        """How many calls were made, failed and late in all, and the failed ones by client and by
        code."""
        codes: Counter[str] = Counter()
        for report in self.reports.values():
            codes.update({code: n for code, n in report["codes"].items() if code != "OK"})
        return {
            "calls": sum(report["calls"] for report in self.reports.values()),
            "failed": {name: count_failed(r["codes"]) for name, r in self.reports.items()},
            "codes": dict(codes),
            "late": sum(report["slow"] for report in self.reports.values()),
        }

    def assert_nothing_lost(self) -> None:
        """Every client called, and no call failed."""
        for name, report in self.reports.items():
            assert report["calls"], f"{name} did not call"
            failed = count_failed(report["codes"])
            assert not failed, f"{name}: {failed} of {report['calls']}: {report['failures'][:5]}"
