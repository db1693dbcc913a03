"""The formula of docs/sizing.md, against the fleet that the autoscaler chose."""

import json

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments import connections
from experiments.sizing import busiest, envoys
from tests.tree import ROOT


def test_the_formula_tells_the_fleet_that_the_autoscaler_chose() -> None:
    run = json.loads((ROOT / "docs/experiments/elasticity.json").read_text())["result"]
    peak = busiest(run)
    told = envoys(
        peak["calls_per_second"], peak["microseconds"], cores=run["cpu_millicores"] / 1000
    )
    assert told == pytest.approx(peak["envoys"], abs=1)


def test_the_page_has_the_figures_of_the_runs() -> None:
    run = json.loads((ROOT / "docs/experiments/connections.json").read_text())["result"]
    page = " ".join((ROOT / "docs/sizing.md").read_text().split())
    plain, tls = (
        next(row for row in reversed(run["rows"]) if row["way"] == way) for way in ("plain", "tls")
    )
    assert f"{plain['kib_each']:.0f} KiB in plaintext, {tls['kib_each']:.0f} KiB over TLS" in page
    assert f"| {connections.reconnect_cpu(run):.0f} µs in plaintext" in page
    assert f"memory holds {connections.holds(run):,.0f} idle TLS connections" in page


def test_whatever_is_scarcest_decides() -> None:
    assert envoys(100, 250) == 1
    assert envoys(10_000, 250) == 5  # 2.5 cores at 60 %
    assert envoys(100, 250, connections=50_000, kib_each=50) == 5  # 2.4 GiB in halves of 1 GiB
    assert envoys(100, 250, connections=200_000) == 4
