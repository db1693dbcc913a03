"""Programs of earlier commits, to upgrade from."""

import subprocess
from pathlib import Path

import yaml

from experiments.lab import SERVICES, STACK, Lab
from testbed.times import sections
from tests.engine.conftest import FACTOR
from tests.tree import ROOT, copy_revision

_HELD = "tests/upgrades/release.json"
BEFORE_THE_MOVE = "370ecf51d05aaccd3c13959679a0e997d144699d"
"""The last commit with `grpc_platform` at the top: a directory that holds the tools as well."""
# Before the house moved, the times were in another module.
_SHORTENED = """import runpy
from grpc_platform.components import timing
for name in ("ROUTE53_PROPAGATION", "CLIENT_RE_RESOLVE_FLOOR", "POD_READY"):
    setattr(timing, name, getattr(timing, name) / {factor})
runpy.run_path("program.py", run_name="__main__")
"""


def last_release() -> str:
    """The commit of the last release."""
    shallow = _git("rev-parse", "--is-shallow-repository") == "true"
    assert not shallow, "the history of the last release is needed: clone it whole"
    return _git("log", "-1", "--format=%H", "--", _HELD)


def earlier_program(lab: Lab, commit: str, program: Path) -> Path:
    """A commit's program in a new directory, with the services of ``lab`` and times as short."""
    copy_revision(commit, program)
    (program / "__main__.py").rename(program / "program.py")
    (program / "__main__.py").write_text(_SHORTENED.format(factor=FACTOR))
    file = program / f"Pulumi.{STACK}.yaml"
    text = yaml.safe_load(file.read_text())
    text["config"]["grpc-platform:services"] = SERVICES
    shortened = sections(lab.times)
    text["config"]["grpc-platform:contour"] = shortened["contour"]
    text["config"]["grpc-platform:zone"]["record_ttl"] = shortened["zone"]["record_ttl"]
    file.write_text(yaml.safe_dump(text))
    return program


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()
