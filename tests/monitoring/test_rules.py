"""The rules as written pass the checks; each check finds its mistake; each alert has a runbook."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from grpc_platform.monitoring.alert import Scope
from grpc_platform.monitoring.rules import alerts, groups
from grpc_platform.monitoring.services import FAILURES, STATUSES
from tests.monitoring.lint import EXPORTED, exported, problems
from tests.tree import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
METRICS = exported()
Rule = dict[str, Any]


def test_the_rules_have_no_mistake() -> None:
    assert problems(groups(), METRICS) == []


def changed(change: Callable[[Rule], object]) -> list[str]:
    """What is found after one alert's rule has changed."""
    found = copy.deepcopy(groups())
    change(next(r for g in found for r in g["rules"] if r.get("alert") == "EnvoyHeapNearLimit"))
    return [line.removeprefix("EnvoyHeapNearLimit: ") for line in problems(found, METRICS)]


def expr(text: str) -> Callable[[Rule], object]:
    return lambda rule: rule.update(expr=text)


def without(key: str) -> Callable[[Rule], object]:
    return lambda rule: rule.pop(key)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            expr("max by (pod) (envoy_no_such_metric) > 1"),
            "envoy_no_such_metric: nobody exports this metric",
        ),
        (
            expr('max by (pod) (envoy_server_live{host="a"}) == 0'),
            "envoy_server_live has no label host",
        ),
        (expr("max by (pod, le) (envoy_server_live) == 0"), "max by le: no such label"),
        (
            expr("max by (namespace) (envoy_server_live) == 0"),
            "an annotation uses the label pod, which its expression does not keep",
        ),
        (
            expr("envoy_server_live / on (namespace) envoy_server_state > 1"),
            "an annotation uses the label pod, which its expression does not keep",
        ),
        (
            expr("max by (pod) (envoy_server_live) == 0 unless on (host) envoy_server_live"),
            "on host: one side has no such label",
        ),
        (expr("rate(envoy_server_live[5m]) > 0"), "rate of envoy_server_live, a gauge"),
        (
            expr("envoy_cluster_grpc_0 > 0"),
            "envoy_cluster_grpc_0 is a counter: use it in rate or increase only",
        ),
        (expr("rate(envoy_cluster_grpc_0[30s]) > 0"), "a range of 30 s: too short"),
        (expr("envoy_server_live"), "compares nothing, so it fires always"),
        (
            expr('label_replace(envoy_server_live, "a", "$1", "host", ".*") == 0'),
            "label_replace: there is no label host",
        ),
        (
            expr("histogram_quantile(0.9, sum by (pod) (rate(envoy_cluster_grpc_0[5m]))) > 1"),
            "histogram_quantile without the label le",
        ),
        (without("for"), "has no for"),
        (without("labels"), "has no severity"),
        (without("annotations"), "has no dashboard_url, description, runbook_url, summary"),
    ],
)
def test_a_mistake_is_found(change: Callable[[Rule], object], problem: str) -> None:
    assert changed(change) == [problem]


def test_what_is_no_promql_is_found() -> None:
    assert changed(expr("max by (pod (envoy_server_live) > 1"))


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {alert.name for alert in alerts()}


@pytest.mark.parametrize("name", [alert.name for alert in alerts()])
def test_a_runbook_says_what_it_means_and_what_to_do(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
    assert parts == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    for page, anchor in re.findall(r"\]\(([^)#:]*)(#[^)]*)?\)", text):
        linked = RUNBOOKS / page if page else RUNBOOKS / f"{name}.md"
        assert linked.exists(), page
        headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
        assert not anchor or anchor[1:] in slugs, anchor


def test_an_alert_links_to_its_runbook_and_dashboard() -> None:
    found = groups(runbook_url="https://example.com/runbooks", dashboard_url="https://grafana")
    for rule in (rule for group in found for rule in group["rules"] if "alert" in rule):
        annotations = rule["annotations"]
        assert annotations["runbook_url"] == f"https://example.com/runbooks/{rule['alert']}.md"
        assert annotations["dashboard_url"].startswith("https://grafana/d/grpc-platform-")


def test_each_group_has_a_name_of_its_own_which_prometheus_demands() -> None:
    names = [group["name"] for group in groups()]
    assert len(set(names)) == len(names) > 1


def test_one_factor_scales_every_duration() -> None:
    pattern = re.compile(r"\b(\d+)(ms|s|m|h)\b(?=[\]:]|$)")
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}

    def durations(scale: float) -> list[float]:
        rules = [rule for group in groups(Scope(scale=scale)) for rule in group["rules"]]
        texts = [rule.get("for", "") for rule in rules] + [rule["expr"] for rule in rules]
        return [int(n) * units[u] for text in texts for n, u in pattern.findall(text)]

    true, scaled = durations(1), durations(0.05)
    assert len(true) > 30
    assert scaled == pytest.approx([each / 20 for each in true])


@pytest.mark.parametrize("scale", [1, 0.05, 0.0005])
@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("61s", 61), ("5m", 300), ("119m", 7140), ("2h", 7200), ("1d", 86400)],
)
def test_prometheus_reads_the_time_that_was_meant(scale: float, text: str, seconds: int) -> None:
    written = re.fullmatch(r"(\d+)(ms|s|m|h)", Scope(scale=scale).time(text))
    assert written
    unit = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[written[2]]
    assert int(written[1]) * unit == pytest.approx(seconds * scale, abs=0.001)


def test_unscaled_times_are_the_ones_that_are_written() -> None:
    assert Scope().time("5m") == "5m"


def test_a_summary_fits_a_pager_and_values_are_in_the_description() -> None:
    """Alertmanager groups alerts that differ in values alone, and shows the summary once."""
    for alert in alerts():
        assert "{{" not in alert.summary
        assert "{{" in alert.description
        assert "\n" not in alert.summary
        assert len(alert.summary) <= 80


def expression(name: str) -> str:
    (found,) = [alert.expr for alert in alerts() if alert.name == name]
    return found


def test_whatever_envoy_rejects_is_told_by_its_kind() -> None:
    """Each of the resources that Contour sends has a counter of Envoy's; its runtime is a file."""
    told = dict(
        re.findall(
            r"increase\((\w+_update_rejected){.*?\"kind\", \"(\w+)\"",
            expression("EnvoyConfigurationRejected"),
        )
    )
    by_service = {"cds": "clusters", "lds": "listeners", "rds": "routes", "sds": "secrets"}
    counters = {name for name in METRICS if name.endswith("_update_rejected")}
    assert told.keys() == counters - {"envoy_runtime_update_rejected"}
    for counter, kind in told.items():
        service = counter.removesuffix("_update_rejected").rpartition("_")[2]
        assert kind == by_service.get(service, "endpoints")


def test_an_exporter_that_is_not_scraped_is_told() -> None:
    """Without its metrics the other alerts would be quiet for ever."""
    told = re.findall(
        r'absent\((\w+).*?"source", "([\w-]+)"', expression("GrpcPlatformMetricsMissing")
    )
    exporters: dict[str, dict[str, Any]] = json.loads(EXPORTED.read_text())
    assert {source for _, source in told} == exporters.keys()
    assert all(metric in exporters[source] for metric, source in told)


def test_envoys_counters_by_number_get_the_names_that_grpc_gives() -> None:
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    assert dict(enumerate(STATUSES)) == names
    recorded = " ".join(rule["expr"] for group in groups() for rule in group["rules"])
    for number, name in names.items():
        assert re.search(rf'envoy_cluster_grpc_{number}{{.*?"grpc_status", "{name}"', recorded)


def test_the_runbook_tells_of_every_status_that_counts_as_a_failure() -> None:
    text = (RUNBOOKS / "GrpcFailureRateHigh.md").read_text()
    rows = re.findall(r"^\| ([A-Z_, ]+) \|", text, re.MULTILINE)
    assert sorted(", ".join(rows).split(", ")) == sorted(FAILURES)


def test_a_circuit_breaker_is_told_whichever_limit_it_refuses_at() -> None:
    """Envoy counts calls over max_requests, and those over max_pending_requests, apart."""
    asked = expression("EnvoyCircuitBreakerOverflow")
    counters = {
        name for name in METRICS if re.fullmatch(r"envoy_cluster_upstream_rq_\w*overflow", name)
    }
    counters -= {"envoy_cluster_upstream_rq_retry_overflow"}  # the first answer is passed on
    assert set(re.findall(r"envoy_cluster_upstream_rq_\w+", asked)) == counters
