"""From an earlier program, deployed by the engine, to this one, while calls flow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.lab import Lab
from tests.engine.conftest import Programs
from tests.engine.earlier import BEFORE_THE_MOVE, earlier_program, last_release
from tests.engine.load import Load
from tests.engine.platform import NOTHING, Recorded, deployed
from tests.upgrades.release import sections


@pytest.fixture(params=["release", "before_the_move"])
def earlier(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Path:
    """An earlier commit's program, with the services of `lab` and times as short."""
    commit = last_release() if request.param == "release" else BEFORE_THE_MOVE
    return earlier_program(lab, commit, tmp_path / "earlier")


def test_an_upgrade_does_what_the_diff_and_the_changelog_say_and_loses_no_call(
    lab: Lab, programs: Programs, earlier: Path, tmp_path: Path
) -> None:
    home = programs.home(tmp_path / "home", lab.cluster)
    with deployed(lab, home, Recorded.of(earlier)) as platform:
        with Load(lab) as load:
            step = platform.bring_to(NOTHING)
            lab.wait_until_settled()
        assert step.did == step.told
        assert list(_untold(step.did)) == []
        load.assert_nothing_lost()


def _untold(done: dict[str, str]) -> Iterator[str]:
    """What is replaced or deleted without a line in the changelog."""
    told = sections()["Unreleased"]
    for urn, operation in done.items():
        kind = urn.split("::")[2].rpartition(":")[2]
        if operation in ("replace", "delete") and f"{operation}s `{kind}`" not in told:
            yield f"{operation} {urn}"
