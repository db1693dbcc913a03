"""From the last release's program, deployed by the engine, to this one, while calls flow."""

import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import yaml

from experiments.lab import SERVICES, STACK, Lab
from testbed.times import sections as sections_of
from tests.engine.conftest import FACTOR, Programs
from tests.engine.load import Load
from tests.engine.platform import NOTHING, Recorded, deployed
from tests.tree import ROOT
from tests.upgrades.release import sections

_HELD = "tests/upgrades/release.json"
# Before the house moved, the times were in another module.
_SHORTENED = """import runpy
from grpc_platform.components import timing
for name in ("ROUTE53_PROPAGATION", "CLIENT_RE_RESOLVE_FLOOR", "POD_READY"):
    setattr(timing, name, getattr(timing, name) / {factor})
runpy.run_path("program.py", run_name="__main__")
"""


@pytest.fixture
def release(lab: Lab, tmp_path: Path) -> Path:
    """The last release's program, with the services of `lab` and times as short."""
    commit = _git("log", "-1", "--format=%H", "--", _HELD).decode().strip()
    assert commit, "the history of the last release is needed: clone it whole"
    with tarfile.open(fileobj=BytesIO(_git("archive", commit))) as archive:
        archive.extractall(tmp_path / "release", filter="data")
    program = tmp_path / "release"
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
    lab: Lab, programs: Programs, release: Path, tmp_path: Path
) -> None:
    home = programs.home(tmp_path / "home", lab.cluster)
    with deployed(lab, home, Recorded.of(release)) as platform:
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


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
