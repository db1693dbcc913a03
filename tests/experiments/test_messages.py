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
        {
            "kind": kind,
            "bytes": size,
            "ways": {"direct": way(ms), "envoy": way(2 * ms)},
            "envoy_mib": mib,
        }
        for kind in messages.KINDS
        for size, ms, mib in ((4_000, 0.3, 50.0), (4_000_000, 10.0, memory))
    ]
    return {"rows": rows, "in_flight": 4}


def test_messages_that_envoy_gathers_are_told() -> None:
    assert all(finding.holds for finding in messages.findings(sent()))
    (gathered,) = (f for f in messages.findings(sent(memory=200)) if not f.holds)
    assert "gather" in gathered.claim
    (failed,) = (f for f in messages.findings(sent(failed=1)) if not f.holds)
    assert failed.claim == "no call and no stream fails"


def test_a_stream_counts_by_its_messages() -> None:
    request, stream = (row for row in sent()["rows"] if row["bytes"] == 4_000_000)
    assert messages.milliseconds(request, "envoy") == 20.0
    assert messages.milliseconds(stream, "envoy") == 0.4
    assert messages.mebibytes_per_second(request, "envoy") == pytest.approx(38.1, abs=0.1)
    assert messages.mebibytes_per_second(stream, "envoy") == pytest.approx(1907, abs=1)


def idle(
    plain: float = 30.0, tls: float = 45.0, opened: int = 20_000, failed: int = 0, herd: int = 900
) -> dict[str, Any]:
    rows = [
        {
            "way": way,
            "connections": size,
            "opened": min(size, opened),
            "kib_each": kib,
            "cpu": 0.1,
            "codes": [{"OK": 10}],
        }
        for way, kib in (("plain", plain), ("tls", tls))
        for size in (1_000, 20_000)
    ]
    starts = {
        name: {
            "failed": failed,
            "opened": [0, most, 0],
            "p99": [1.0, 9.0, 1.0],
            "cpu": [0.1, 0.1 + most / 5_000, 0.1],
        }
        for name, most in (("all at once", herd), ("spread over a period", 200))
    }
    return {
        "envoys": 2,
        "rows": rows,
        "herd": {"connections": 20_000, "life": 60, "starts": starts},
    }


def test_connections_that_do_not_fit_or_do_not_open_are_told() -> None:
    assert all(finding.holds for finding in connections.findings(idle()))
    (full,) = (f for f in connections.findings(idle(tls=110.0)) if not f.holds)
    assert "half of an Envoy's default memory" in full.claim
    (missing,) = (f for f in connections.findings(idle(opened=19_000)) if not f.holds)
    assert missing.figure.startswith("2000 of 42,000")
    (control,) = (f for f in connections.findings(idle(tls=20.0)) if not f.holds)
    assert control.control
    assert connections.tell(idle()).count("| TLS |") == 2
    assert "takes Envoy 200 µs of CPU" in connections.tell(idle())


def test_a_herd_that_loses_calls_or_is_none_is_told() -> None:
    (lost,) = (f for f in connections.findings(idle(failed=1)) if not f.holds)
    assert lost.claim == "no call fails in a herd of 20,000"
    (none,) = (f for f in connections.findings(idle(herd=300)) if not f.holds)
    assert none.control
