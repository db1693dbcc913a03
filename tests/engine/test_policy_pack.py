"""The policies on the real engine's own plan, as `pulumi preview --policy-pack` runs them."""

from pathlib import Path

import pytest

from testbed.cluster.errors import LocalError
from tests.engine.conftest import Programs
from tests.tree import ROOT

pytestmark = pytest.mark.prove

PACK = ROOT / "policy-pack"
_PROGRAM = """
import pulumi_aws as aws

name = aws.iam.Role("first", assume_role_policy="{}").arn
aws.iam.Role("second", assume_role_policy=name)
aws.ec2.SecurityGroup(
    "callers",
    ingress=[{"protocol": "tcp", "from_port": 1, "to_port": 1, "cidr_blocks": ["%s"]}],
)
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The repository's pack as an executable: there is no language host for Python here."""
    script = tmp_path / "pack"
    script.write_text(f"#!/bin/sh\nexec {PACK}/.venv/bin/python -u {PACK}\n")
    script.chmod(0o755)
    return script


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program whose second role has a trust policy that only an update will know."""
    directory = tmp_path / "program"
    directory.mkdir()
    (directory / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (directory / "Pulumi.prod.yaml").write_text("{}\n")
    return directory


def test_prod_breaks_no_policy_under_the_engine(
    programs: Programs, pack: Path, tmp_path: Path
) -> None:
    plan = programs.home(tmp_path / "home").engine(ROOT, "prod").preview(policy_pack=pack)
    assert len(plan.steps) > 100
    # Some values are known after an update only; the engine has warnings of its own.
    advice = [line for line in plan.warnings if line.startswith("Should hold.")]
    assert [line for line in advice if "is not judged" not in line] == []


def test_a_breach_fails_the_preview(
    programs: Programs, program: Path, pack: Path, tmp_path: Path
) -> None:
    (program / "__main__.py").write_text(_PROGRAM % "0.0.0.0/0")
    engine = programs.home(tmp_path / "home").engine(program, "prod")
    engine.preview()
    with pytest.raises(LocalError, match=r"SecurityGroup callers lets 0\.0\.0\.0/0 in"):
        engine.preview(policy_pack=pack)


def test_what_is_not_known_yet_is_advice(
    programs: Programs, program: Path, pack: Path, tmp_path: Path
) -> None:
    (program / "__main__.py").write_text(_PROGRAM % "10.0.0.0/8")
    engine = programs.home(tmp_path / "home").engine(program, "prod")
    (said,) = engine.preview(policy_pack=pack).warnings
    assert "iam-trust-named: Role second is not judged: assumeRolePolicy is not known here" in said
