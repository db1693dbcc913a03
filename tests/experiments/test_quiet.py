"""What is said of a busy machine, and who counts as busy."""

import subprocess
import sys

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments import quiet

_BURN = "import time\nwhile time.process_time() < {seconds}: pass"


def test_a_child_counts_as_own_while_it_runs_and_after() -> None:
    before = quiet.own_seconds()
    subprocess.run([sys.executable, "-c", _BURN.format(seconds=0.5)], check=True)
    # The kernel counts in hundredths.
    assert quiet.own_seconds() - before >= 0.4


def test_only_a_busy_machine_is_marked() -> None:
    assert not quiet.busy({})
    assert not quiet.busy({"before": 0.0, "mean": quiet.BUSY / 2})
    told = {"before": 0.0, "mean": 2 * quiet.BUSY}
    assert quiet.busy(told)
    assert f"{2 * quiet.BUSY:g} meanwhile" in quiet.mark(told)
