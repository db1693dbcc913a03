"""The Grafana dashboards: complete panels, defined variables, and their ConfigMap."""

import json
import re
from typing import Any

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import __main__ as command
from grpc_platform.monitoring.grafana import dashboards
from grpc_platform.monitoring.rules import alerts
from tests.monitoring import panels as lint
from tests.monitoring.lint import exported
from tests.test_program import variation

BOARDS: dict[str, dict[str, Any]] = {name: json.loads(t) for name, t in dashboards().items()}
BUILT_IN = {"__rate_interval", "datasource"}
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> list[str]:
    """What a dashboard asks, for its panels and for its variables."""
    asked = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    variables = board["templating"]["list"]
    return asked + [each["query"] for each in variables if each["type"] == "query"]


@pytest.mark.parametrize("name", BOARDS)
def test_each_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    board = BOARDS[name]
    told = [
        (panel["title"], panel["description"], panel["fieldConfig"]["defaults"]["unit"])
        for panel in panels(board)
    ]
    assert all(title and description and unit for title, description, unit in told)
    assert len({title for title, _, _ in told}) == len(told)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.parametrize("name", BOARDS)
def test_panels_fill_rows_without_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not taken & cells, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_queries_use_variables_that_the_dashboard_has(name: str) -> None:
    board = BOARDS[name]
    defined = {variable["name"] for variable in board["templating"]["list"]} | BUILT_IN
    text = json.dumps(board)
    used = {first or second for first, second in re.findall(r"\$(?:\{(\w+)\}|(\w+))", text)}
    assert used <= defined
    assert defined - BUILT_IN <= used


@pytest.mark.parametrize("name", BOARDS)
def test_grafanas_own_model_reads_it(name: str) -> None:
    read = Dashboard.from_json(BOARDS[name])
    assert read.uid == BOARDS[name]["uid"]
    assert len(read.panels or []) == len(BOARDS[name]["panels"])


def test_queries_name_only_what_is_exported() -> None:
    assert lint.problems(dashboards(), exported()) == []


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("envoy_http_no_route", "envoy_http_no_rout", "envoy_http_no_rout: nobody exports"),
        ("horizontalpodautoscaler=", "hpa=", "has no label hpa"),
        ("{{pod}}", "{{pods}}", "the series have no label pods"),
    ],
)
def test_make_check_refuses_a_query_of_what_nobody_exports(
    before: str, after: str, problem: str
) -> None:
    text = dashboards()["fleet.json"]
    assert before in text
    found = lint.problems({"fleet.json": text.replace(before, after)}, exported())
    assert found
    assert all(problem in line for line in found)


def test_the_files_are_those_that_the_command_makes() -> None:
    assert command.main(["--check"]) == 0


def test_each_alert_leads_to_a_dashboard() -> None:
    assert {alert.dashboard for alert in alerts()} == {board["uid"] for board in BOARDS.values()}


def test_the_config_map_carries_every_dashboard_to_grafanas_sidecar() -> None:
    graph = variation("prod", {"monitoring": {"dashboards": True, "pod_monitors": True}})
    (config_map,) = (
        each
        for each in graph.of_type(CONFIG_MAP)
        if "grafana_dashboard" in each.inputs["metadata"]["labels"]
    )
    found = config_map.inputs
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {json.loads(text)["uid"] for text in found["data"].values()} == {
        board["uid"] for board in BOARDS.values()
    }
    assert all(file.endswith(".json") for file in found["data"])
    # Under a name that depended on the content, the sidecar would delete the new one's files.
    assert found["metadata"]["name"] == "grpc-platform-dashboards"
    assert found["metadata"]["namespace"] == "projectcontour"
    # It is there even if the cluster lacks the CRDs that the others need.
    others = [each for each in graph if each.type.startswith("kubernetes:monitoring.coreos.com/")]
    assert others
    assert all(config_map.urn in graph.needs(each) for each in others)
