"""Verdicts of policies: new ones beside the change that causes them, apart from old ones."""

from dataclasses import replace
from pathlib import Path

from grpc_platform_tools.diff.comment import comment
from grpc_platform_tools.diff.compare import compare
from grpc_platform_tools.diff.recordings import Recording
from grpc_platform_tools.diff.report import Report, StackDiff
from grpc_platform_tools.policy.exemptions import read_policy_file
from tests.tools.policy.stack import Edit, graph_with

BAD_IMAGE: Edit = ("envoy", "ENVOY image", "envoy")
NO_PORT: Edit = ("callers", "spec ingress", [])
NO_ROTATION: Edit = ("key", "enableKeyRotation", False)


def recording(*edits: Edit) -> Recording:
    return Recording(graph=graph_with(*edits), config={})


def said(diff: StackDiff) -> str:
    return comment(Report(project="shop", base="1", head="2", stacks=(diff,)))


def test_what_the_base_breaks_too_is_old_and_comes_last() -> None:
    diff = compare("prod", recording(NO_ROTATION), recording(NO_ROTATION, BAD_IMAGE))
    assert [(v.rule, v.new) for v in diff.verdicts] == [
        ("image-pinned", True),
        ("key-rotated", False),
    ]
    text = said(diff)
    assert text.index("New policy verdicts") < text.index("**Changed**")
    assert text.index("**Changed**") < text.index("error key-rotated: Key key is never rotated")
    assert "1 new policy verdict (1 error)" in text


def test_a_verdict_stands_beside_the_change_of_its_resource() -> None:
    diff = compare("prod", recording(), recording(BAD_IMAGE))
    (change,) = diff.resources
    assert change.notes == ("error image-pinned: container envoy runs envoy",)
    assert "<code>error image-pinned: container envoy runs envoy</code>" in said(diff)


def test_a_verdict_of_what_did_not_change_stands_beside_its_cause() -> None:
    diff = compare("prod", recording(), recording(NO_PORT))
    (change,) = diff.resources
    assert change.label == "NetworkPolicy edge/callers"
    assert change.notes == (
        "error published-ports-open: Service edge/fleet port 8080 is opened by no network policy",
    )


def test_what_no_longer_holds_is_not_told() -> None:
    assert compare("prod", recording(BAD_IMAGE), recording()).verdicts == ()


def test_an_exemption_that_goes_makes_a_verdict_new_without_a_change(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "exemptions: [{rule: image-pinned, reason: x, expires: 2999-01-01}]\n"
    )
    graph = graph_with(BAD_IMAGE)
    exempt = Recording(graph=graph, config={}, policies=read_policy_file(tmp_path))
    bare = Recording(graph=graph, config={})
    assert compare("prod", exempt, exempt).verdicts == ()
    diff = compare("prod", exempt, bare)
    assert [v.new for v in diff.verdicts] == [True]
    assert "image-pinned" in said(diff)


def test_a_forged_rule_is_a_quotation_without_advice() -> None:
    diff = compare("prod", recording(), recording(BAD_IMAGE))
    forged = replace(diff.verdicts[0], rule="[x](y)", text="@all")
    text = said(replace(diff, verdicts=(forged,), resources=()))
    assert "**error** `[x](y)`: \n\n```\nDeployment edge/envoy @all\n```" in text
