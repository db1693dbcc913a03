"""What the dashboards' experiment makes of Prometheus's answers, and the page about it."""

import importlib
import json
import re
from typing import Any

import pytest

from experiments import dashboards_page as page
from grpc_platform.monitoring import grafana

pytest.importorskip("experiments.plots", reason="needs the local group")
experiment: Any = importlib.import_module("experiments.dashboards")
queries: Any = importlib.import_module("experiments.dashboard_queries")
figures: Any = importlib.import_module("experiments.dashboard_figures")


class Prometheus:
    """Answers each query with two points of one series."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ranges(self, expressions: list[str], **_: float) -> list[list[dict[str, Any]]]:
        self.asked += expressions
        labels = {"pod": "envoy-1-abcde", "namespace": "n", "envoy_cluster_name": "default_a_1"}
        values = [[100.0, "1.23456"], [110.0, "NaN"], [115.0, "2"]]
        return [[{"metric": labels, "values": values}] for _ in expressions]


def answered(prometheus: Prometheus) -> dict[str, Any]:
    asked = queries.Asked(monitoring=prometheus, since=100.0, until=120.0, step=5.0, interval=3.0)
    return {
        "service": queries.SERVICE,
        "step": 5.0,
        "events": [("a rollout", 7.0)],
        "dashboards": {
            name.removesuffix(".json"): asked.dashboard(text)
            for name, text in grafana.dashboards().items()
        },
        "control": 0,
    }


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return answered(Prometheus())


def first_panel(result: dict[str, Any]) -> dict[str, Any]:
    return result["dashboards"]["fleet"]["rows"][0]["panels"][0]


def test_every_query_is_asked_with_its_variables_filled_in() -> None:
    prometheus = Prometheus()
    answered(prometheus)
    boards = [json.loads(text) for text in grafana.dashboards().values()]
    targets = [t for board in boards for panel in board["panels"] for t in panel.get("targets", [])]
    assert len(prometheus.asked) >= len(targets)
    assert not [query for query in prometheus.asked if "$" in query]
    assert any(f'envoy_cluster_name="{queries.SERVICE}"' in query for query in prometheus.asked)
    assert {m for q in prometheus.asked for m in re.findall(r"\[(\d\w+)\]", q)} == {"12000ms", "1h"}


def test_points_are_kept_at_their_step_and_gaps_as_gaps(result: dict[str, Any]) -> None:
    (series,) = first_panel(result)["queries"][0]["series"]
    assert series == {"name": "default_a_1", "values": [1.235, None, None, 2.0, None]}


def test_a_query_without_data_is_found(result: dict[str, Any]) -> None:
    assert all(finding.holds for finding in experiment.findings(result))
    changed = json.loads(json.dumps(result))
    first_panel(changed)["queries"][0]["series"] = []
    broken = [finding for finding in experiment.findings(changed) if not finding.holds]
    assert [finding.claim for finding in broken] == [
        "every query of the dashboard fleet returns data"
    ]
    assert first_panel(changed)["title"] in broken[0].figure


def test_a_status_that_never_occurred_may_have_no_data(result: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(result))
    for board in changed["dashboards"].values():
        for row in board["rows"]:
            for panel in row["panels"]:
                for query in panel["queries"]:
                    if "envoy_cluster_grpc_7{" in query["expr"]:
                        query["series"] = []
    assert all(finding.holds for finding in experiment.findings(changed))


def test_each_row_has_the_picture_that_the_page_shows(result: dict[str, Any]) -> None:
    drawn = figures.draw(result)
    text = page.generated(
        {name: json.loads(text) for name, text in grafana.dashboards().items()},
        {
            "dashboards": {
                "plots": list(drawn),
                "result": result,
                "date": "2026-11-30",
                "factor": 10,
            },
            "series": None,
        },
    )
    assert set(re.findall(r"\(experiments/(.+)\.svg\)", text)) == set(drawn)
    rows = [row for board in result["dashboards"].values() for row in board["rows"]]
    assert [len(figure.axes) for figure in drawn.values()] == [len(row["panels"]) for row in rows]


def test_the_relabelings_keep_what_rules_and_dashboards_read() -> None:
    rows = [
        {"services": n, "envoy": 1000 + 300 * n, "envoy_used": 100 + 40 * n, "megabytes": 1.0}
        | {"contour": 500, "idle_service": 200.0}
        for n in (10, 100)
    ]
    text = page.generated({}, {"dashboards": None, "series": {"result": {"rows": rows}}})
    (pattern,) = re.findall(r"regex: (envoy_cluster_\(.+\))", text)
    used = {name for name in page.used_metrics() if name.startswith("envoy_cluster_")}
    assert "envoy_cluster_grpc_14" in used
    assert all(re.fullmatch(pattern, name) for name in used)
    assert not re.fullmatch(pattern, "envoy_cluster_upstream_cx_length_ms_bucket")
    assert "3.0 million series, or 0.4 million" in text
