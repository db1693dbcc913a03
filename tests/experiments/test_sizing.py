"""The formula of docs/sizing.md, against the fleet that the autoscaler chose."""

import json

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments.sizing import busiest, envoys
from tests.tree import ROOT


def test_the_formula_tells_the_fleet_that_the_autoscaler_chose() -> None:
    run = json.loads((ROOT / "docs/experiments/elasticity.json").read_text())["result"]
    peak = busiest(run)
    told = envoys(
        peak["calls_per_second"], peak["microseconds"], cores=run["cpu_millicores"] / 1000
    )
    assert told == pytest.approx(peak["envoys"], abs=1)


def test_whatever_is_scarcest_decides() -> None:
    assert envoys(100, 250) == 1
    assert envoys(10_000, 250) == 5  # 2.5 cores at 60 %
    assert envoys(100, 250, connections=50_000, kib_each=50) == 5  # 2.4 GiB in halves of 1 GiB
    assert envoys(100, 250, connections=200_000) == 4
