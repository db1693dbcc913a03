"""What the figures of large messages and of many connections must show."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments import connections, messages


def sent(memory: float = 60.0, failed: int = 0) -> dict[str, Any]:
    def way(ms: float) -> dict[str, Any]:
        return {
            "milliseconds": {"p50": ms, "p99": ms, "p99.9": ms},
            "cpu": 100.0,
            "calls_per_second": 10.0,
            "codes": {"OK": 10, "UNAVAILABLE": failed},
        }

    rows = [
        {"bytes": size, "ways": {"direct": way(ms), "envoy": way(2 * ms)}, "envoy_mib": mib}
        for size, ms, mib in ((4_000, 0.3, 50.0), (4_000_000, 10.0, memory))
    ]
    return {"rows": rows, "in_flight": 4}


def test_messages_that_envoy_gathers_are_told() -> None:
    assert all(finding.holds for finding in messages.findings(sent()))
    (gathered,) = (f for f in messages.findings(sent(memory=200)) if not f.holds)
    assert "gather" in gathered.claim
    (failed,) = (f for f in messages.findings(sent(failed=1)) if not f.holds)
    assert failed.claim == "no call fails"


def test_throughput_counts_requests_in_mebibytes() -> None:
    row = sent()["rows"][1]
    assert messages.mebibytes_per_second(row, "envoy") == pytest.approx(38.1, abs=0.1)


def idle(plain: float = 30.0, tls: float = 60.0, opened: int = 20_000) -> dict[str, Any]:
    rows = [
        {
            "way": way,
            "connections": size,
            "opened": min(size, opened),
            "kib_each": kib,
            "mib": 100.0,
            "cpu_opening": 500.0,
            "cpu_idle": 0.1,
            "codes": [{"OK": 10}],
        }
        for way, kib in (("plain", plain), ("tls", tls))
        for size in (1_000, 20_000)
    ]
    return {"rows": rows, "envoys": 2}


def test_connections_that_do_not_fit_or_do_not_open_are_told() -> None:
    assert all(finding.holds for finding in connections.findings(idle()))
    (full,) = (f for f in connections.findings(idle(tls=200.0)) if not f.holds)
    assert "memory holds" in full.claim
    (missing,) = (f for f in connections.findings(idle(opened=19_000)) if not f.holds)
    assert missing.figure.startswith("2000 were not")
    (control,) = (f for f in connections.findings(idle(tls=20.0)) if not f.holds)
    assert control.control
    assert connections.tell(idle()).count("| tls |") == 2
