"""From an earlier program, deployed by the engine, to this one, while calls flow."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from experiments.lab import SERVICES, STACK, Lab
from testbed.times import sections as sections_of
from tests.engine.conftest import FACTOR, Programs
from tests.engine.load import Load
from tests.engine.platform import NOTHING, Recorded, deployed
from tests.tree import ROOT, copy_revision
from tests.upgrades.release import sections

_HELD = "tests/upgrades/release.json"
_BEFORE_THE_MOVE = "370ecf51d05aaccd3c13959679a0e997d144699d"
"""The last commit with `grpc_platform` at the top: a directory that holds the tools as well."""
# Before the house moved, the times were in another module.
_SHORTENED = """import runpy
from grpc_platform.components import timing
for name in ("ROUTE53_PROPAGATION", "CLIENT_RE_RESOLVE_FLOOR", "POD_READY"):
    setattr(timing, name, getattr(timing, name) / {factor})
runpy.run_path("program.py", run_name="__main__")
"""


@pytest.fixture(params=["release", "before_the_move"])
def earlier(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Path:
    """An earlier commit's program, with the services of `lab` and times as short."""
    shallow = _git("rev-parse", "--is-shallow-repository") == "true"
    assert not shallow, "the history of the last release is needed: clone it whole"
    commit = _BEFORE_THE_MOVE
    if request.param == "release":
        commit = _git("log", "-1", "--format=%H", "--", _HELD)
    program = tmp_path / "earlier"
    copy_revision(commit, program)
    (program / "__main__.py").rename(program / "program.py")
    (program / "__main__.py").write_text(_SHORTENED.format(factor=FACTOR))
    file = program / f"Pulumi.{STACK}.yaml"
    text = yaml.safe_load(file.read_text())
    text["config"]["grpc-platform:services"] = SERVICES
    shortened = sections_of(lab.times)
    text["config"]["grpc-platform:contour"] = shortened["contour"]
    text["config"]["grpc-platform:zone"]["record_ttl"] = shortened["zone"]["record_ttl"]
    file.write_text(yaml.safe_dump(text))
    return program


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


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()
