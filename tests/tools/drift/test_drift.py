"""The text about drift, from event logs."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app

REAL = Path(__file__).with_name("events.jsonl")
"""What pulumi 3.274.1 wrote on the testbed after changes by hand
(tests/engine/life/test_drift.py): all steps that change something, some others, and the sum."""
SUMMARY: dict[str, Any] = {"summaryEvent": {"resourceChanges": {"same": 1}}}


def step(op: str, name: str = "envoy", type_token: str = "a:b/c:Thing", **more: Any) -> Any:
    urn = f"urn:pulumi:prod::shop::{type_token}::{name}"
    states: Any = {"old": None, "new": {"custom": True}}
    metadata = {"op": op, "urn": urn, "type": type_token, **states, **more}
    return {"resourcePreEvent": {"metadata": metadata}}


def drift(log: Path) -> Result:
    return CliRunner().invoke(app, ["drift", str(log), "--stack", "prod"], catch_exceptions=False)


def of(tmp_path: Path, *events: Any) -> Result:
    log = tmp_path / "log"
    log.write_text("".join(json.dumps(event) + "\n" for event in events))
    return drift(log)


def test_the_engines_own_log_is_read() -> None:
    result = drift(REAL)
    assert result.exit_code == 2
    timeout = 'metadata.annotations["projectcontour.io/response-timeout"]'
    assert [line for line in result.stdout.splitlines() if line.startswith("| `")] == [
        "| `Deployment local-contour-deployment` | differs | `spec.replicas` |",
        "| `HorizontalPodAutoscaler local-envoy-autoscaler` | is missing |  |",
        "| `Ingress greeter.local-ingress` | differs | `spec.rules[0].host` |",
        f"| `Ingress load.local-ingress` | differs | `{timeout}` |",
    ]


def test_nothing_differs(tmp_path: Path) -> None:
    component: Any = {"new": {"type": "a:b:C"}}
    quiet = (
        step("create", **component),
        step("same"),
        step("refresh"),
        step("read"),
        step("update", type_token="pulumi:p:P"),
    )
    result = of(tmp_path, *quiet, SUMMARY)
    assert (result.exit_code, result.stdout) == (
        0,
        "Nothing in stack `prod` differs from its program.\n",
    )


def test_each_resource_is_one_row_with_its_fields(tmp_path: Path) -> None:
    paths = {f"spec.f{n}": {"diffKind": "update"} for n in range(7)}
    result = of(
        tmp_path,
        step("update", detailedDiff=paths),
        step("create", "lost"),
        step("create-replacement", "twice", diffs=["x"]),
        step("replace", "twice", diffs=["x"]),
        step("delete", "old"),
        SUMMARY,
    )
    assert result.exit_code == 2
    assert result.stdout.startswith("4 resources of stack `prod` differ from the program: ")
    rows = [line for line in result.stdout.splitlines() if line.startswith("| `")]
    fields = ", ".join(f"`spec.f{n}`" for n in range(5))
    assert rows == [
        f"| `Thing envoy` | differs | {fields}, 2 more |",
        "| `Thing lost` | is missing |  |",
        "| `Thing old` | is in the stack, but not in the program |  |",
        "| `Thing twice` | differs, and `pulumi up` replaces it | `x` |",
    ]


def test_the_text_is_bounded_and_shows_no_value_account_or_mention(tmp_path: Path) -> None:
    secret: Any = {"new": {"custom": True, "inputs": {"password": "hunter2"}}}
    many = [step("update", f"n{n}", **secret) for n in range(10_000)]
    hostile = step("update", "role-123456789012 @octocat`|\n# x", diffs=["y" * 10_000])
    result = of(tmp_path, hostile, *many, SUMMARY)
    assert len(result.stdout) < 10_000
    assert "And 9951 more." in result.stdout
    assert "hunter2" not in result.stdout
    only = of(tmp_path, hostile, SUMMARY).stdout
    assert "`Thing role-[account 1] @octocat???# x`" in only
    assert "123456789012" not in only
    assert "\n# x" not in only
    assert len(only) < 1000


@pytest.mark.parametrize("content", ["", "no json\n", json.dumps(step("update")) + "\n", "[]\n"])
def test_a_log_that_is_none_or_ends_early_is_status_1_and_one_line(
    content: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text(content)
    result = drift(log)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    missing = drift(tmp_path / "missing")
    assert missing.exit_code == 1
    assert "cannot be read" in missing.stderr
