"""policy.yaml: what it exempts and until when, and its mistakes."""

from datetime import date
from pathlib import Path

import pytest

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.policy.exemptions import Judged, judge_stack, read_policy_file
from tests.tools.policy.stack import graph_with

TODAY = date(2027, 6, 30)


def judged(tmp_path: Path, text: str, stack: str = "prod") -> Judged:
    """A stack whose Deployment has an image without a version, whose cluster has no protect, and
    whose key is never rotated."""
    (tmp_path / "policy.yaml").write_text(text)
    graph = graph_with(
        ("envoy", "ENVOY image", "envoy"),
        ("cluster", "^options", {}),
        ("key", "enableKeyRotation", False),
    )
    return judge_stack(graph, stack, read_policy_file(tmp_path), TODAY)


def rules(found: Judged) -> list[tuple[str, str]]:
    return [(verdict.outcome, verdict.rule.name) for verdict in found.verdicts]


def exemption(rule: str, expires: str = "2027-06-30", more: str = "") -> str:
    return f"exemptions: [{{rule: {rule}, reason: x, expires: {expires}{more}}}]\n"


ALL = [("error", "cluster-protected"), ("error", "image-pinned"), ("error", "key-rotated")]


def test_a_stack_that_nothing_names_is_production(tmp_path: Path) -> None:
    assert rules(judged(tmp_path, "development: [dev]\n")) == ALL


def test_some_rules_are_milder_in_a_development_stack_and_some_are_silent(tmp_path: Path) -> None:
    found = judged(tmp_path, "development: [dev]\n", "dev")
    assert rules(found) == [("error", "image-pinned"), ("warning", "key-rotated")]


def test_an_exemption_holds_on_its_last_day_and_not_after_it(tmp_path: Path) -> None:
    holds = judged(tmp_path, exemption("image-pinned"))
    assert (rules(holds), holds.exempt, holds.expired) == ([ALL[0], ALL[2]], 1, ())
    over = judged(tmp_path, exemption("image-pinned", "2027-06-29"))
    assert (rules(over), over.exempt) == (ALL, 0)
    assert [str(each) for each in over.expired] == ["image-pinned for *"]


@pytest.mark.parametrize(
    ("more", "holds"),
    [
        (", resource: Deployment edge/*", True),
        (", resource: Deployment edge", False),
        (", stacks: [prod]", True),
        (", stacks: [dev]", False),
    ],
)
def test_it_holds_for_its_resources_and_stacks(tmp_path: Path, more: str, holds: bool) -> None:
    found = judged(tmp_path, exemption("image-pinned", more=more))
    assert (ALL[1] not in rules(found)) is holds
    assert bool(found.used) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exemptions: [{rule: image-pinned, reason: x}]", "exemptions[0].expires: is missing"),
        (exemption("image-pinned", "soon"), "exemptions[0].expires: must be a date"),
        (exemption("imagepinned"), "exemptions[0].rule = 'imagepinned': there is no such rule"),
        (exemption("image-pinned", more=", until: x"), "exemptions[0].until: unknown key"),
        ("exempt: []", "exempt: unknown key"),
        ("development: dev", "development: must be a list"),
        ("development: [1]", "development[0]: must be text"),
        ("a: [", "while parsing"),
        ("[x]", "policy.yaml: "),
    ],
)
def test_a_mistake_is_a_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        read_policy_file(tmp_path)
    (line,) = error.value.problems
    assert said in line
    assert "\n" not in line


def test_a_reason_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="reason: must not be empty"):
        judged(tmp_path, "exemptions: [{rule: image-pinned, reason: '', expires: 2027-01-01}]")
