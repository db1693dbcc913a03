"""`policy` as a person runs it."""

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app
from grpc_platform_tools.policy.command import run_policy

PROGRAM = """\
import pulumi
from pulumi_aws import ec2

networks = pulumi.Config().require_object("networks")
for number, network in enumerate(networks):
    rule = {"protocol": "tcp", "from_port": 1, "to_port": 1, "cidr_blocks": [network]}
    ec2.SecurityGroup(f"group-{number}", ingress=[rule])
"""
OPEN, CLOSED = "0.0.0.0/0", "10.0.0.0/8"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    return tmp_path


def stack(shop: Path, name: str, *networks: str) -> None:
    text = f"config: {{shop:networks: [{', '.join(networks)}]}}\n"
    (shop / f"Pulumi.{name}.yaml").write_text(text)


def policy(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["policy", *arguments], catch_exceptions=False)


def test_a_breach_is_a_line_and_status_1(shop: Path) -> None:
    stack(shop, "dev", CLOSED)
    stack(shop, "prod", CLOSED, OPEN)
    result = policy("--program", str(shop))
    assert result.exit_code == 1
    rule = "ingress-from-named-networks"
    lines = result.stdout.splitlines()
    assert lines[0] == f"error   prod  {rule}: SecurityGroup group-1 lets 0.0.0.0/0 in"
    assert lines[1].startswith(f"{rule}: Name the networks")
    assert lines[2].startswith("2 stacks: 1 error, 0 warnings in ")
    # The one without a breach, by name.
    assert policy("dev", "--program", str(shop)).exit_code == 0


def test_an_exemption_counts_until_it_expires_and_is_told_when_it_is_not_needed(
    shop: Path,
) -> None:
    stack(shop, "prod", OPEN)
    rule = "rule: ingress-from-named-networks, reason: x"
    spare = "rule: key-rotated, reason: x, expires: 2999-01-01"
    (shop / "policy.yaml").write_text(
        f"exemptions: [{{{rule}, expires: 2999-01-01}}, {{{spare}}}]\n"
    )
    result = policy("--program", str(shop))
    assert result.exit_code == 0
    assert "0 errors, 0 warnings, 1 exempt" in result.stdout
    assert "the exemption of key-rotated for * is not needed" in result.stdout
    (shop / "policy.yaml").write_text(f"exemptions: [{{{rule}, expires: 2020-01-01}}]\n")
    result = policy("--program", str(shop))
    assert result.exit_code == 1
    assert "prod: the exemption of ingress-from-named-networks for * expired on 2020-01-01" in (
        result.stdout
    )


def test_output_is_bounded(shop: Path) -> None:
    stack(shop, "prod", *[OPEN] * 300)
    lines = policy("--program", str(shop)).stdout.splitlines()
    assert len([line for line in lines if line.startswith("error")]) == 200
    assert "… 100 more; name a stack to see its own" in lines


def test_a_program_that_fails_is_status_1_and_the_other_stacks_are_judged(shop: Path) -> None:
    stack(shop, "dev", OPEN)
    (shop / "Pulumi.prod.yaml").write_text("{}\n")
    result = policy("--program", str(shop))
    assert result.exit_code == 1
    assert "prod cannot be previewed: " in result.stdout
    assert "error   dev " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["staging"], "no stack 'staging' in these programs"),
        (["--program", "nowhere"], "no Pulumi.yaml"),
    ],
)
def test_a_mistake_is_a_line_and_status_2(shop: Path, arguments: list[str], said: str) -> None:
    stack(shop, "dev", CLOSED)
    given = arguments if "--program" in arguments else [*arguments, "--program", str(shop)]
    result = policy(*given)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_stacks_of_several_programs_have_their_projects_name(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack(shop, "dev", OPEN)
    assert run_policy([], [shop, shop], date.today()) == 1
    assert "error   shop/dev  ingress" in capsys.readouterr().out
