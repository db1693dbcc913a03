"""Series that raise each alert, and series next to them that must not, for promtool.

Times are the real ones. A sample is taken every 30 s, from 0 on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.monitoring import series as of

Series = Mapping[str, str]
INTERVAL = "30s"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What Prometheus scrapes, and what follows for one alert."""

    alert: str
    what: str
    series: Series
    quiet: str
    """A time up to which the alert does not fire."""
    fires: str | None = None
    """A time at which it fires; None if it must not."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """The labels of the alert that fires, without its name, state and severity."""


def promtool_tests(severities: Mapping[str, str], rules: str) -> dict[str, Any]:
    """The cases as the file that `promtool test rules` reads."""
    tests = [_test(case, severities[case.alert]) for case in CASES]
    return {"rule_files": [rules], "evaluation_interval": INTERVAL, "tests": tests}


def _test(case: Case, severity: str) -> dict[str, Any]:
    firing = f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}'
    expected: list[dict[str, Any]] = [
        # From the start on, so that it has not fired in between either.
        {"expr": f"count_over_time({firing}[{case.quiet}])", "eval_time": case.quiet}
    ]
    if case.fires:
        labels = {"alertname": case.alert, "alertstate": "firing", "severity": severity}
        samples = [{"labels": of.named("ALERTS", {**labels, **case.labels}), "value": 1}]
        expected.append({"expr": firing, "eval_time": case.fires, "exp_samples": samples})
    return {
        "name": f"{case.alert}: {case.what}",
        "interval": INTERVAL,
        "input_series": [{"series": s, "values": v} for s, v in case.series.items()],
        "promql_expr_test": expected,
    }


def _control_plane() -> Iterator[Case]:
    name = "EnvoyWithoutContour"
    for what, cds, lds in (("clusters", "1x10 0x60", "1x70"), ("listeners", "1x70", "1x10 0x60")):
        connected = of.connected(cds=cds, lds=lds)
        yield Case(
            alert=name,
            what=f"no stream of {what} for five minutes",
            series=connected,
            quiet="10m",
            fires="11m",
            labels=of.ENVOY,
        )
    attempts = f"1x10 {' '.join(4 * ['0x2 1'])} 0x60"
    yield Case(
        alert=name,
        what="a connection attempt that lasts until it is scraped",
        series=of.connected(cds=attempts, lds=attempts),
        quiet="10m",
        fires="11m",
        labels=of.ENVOY,
    )
    restart = of.connected(cds="1x10 0x5 1x60", lds="1x10 0x5 1x60")
    yield Case(alert=name, what="Contour restarts", series=restart, quiet="30m")
    name = "EnvoyConfigurationRejected"
    yield Case(
        alert=name,
        what="a route",
        series=of.rejected("envoy_http_rds_update_rejected", "0x10 1x60"),
        quiet="5m",
        fires="6m",
        labels={**of.ENVOY, "kind": "routes"},
    )
    old = of.rejected("envoy_http_rds_update_rejected", "3x100")
    yield Case(alert=name, what="rejected long ago", series=old, quiet="45m")
    name = "EnvoyNotReady"
    yield Case(
        alert=name,
        what="never ready",
        series=of.ready("0x60"),
        quiet="14m30s",
        fires="15m",
        labels=of.ENVOY,
    )
    yield Case(alert=name, what="slow", series=of.ready("0x20 1x60"), quiet="40m")
    drained = of.ready("0x100") | of.terminating("5000x100")
    yield Case(alert=name, what="terminating", series=drained, quiet="45m")
    name = "EnvoyCertificateExpires"
    days = "envoy_server_days_until_first_cert_expiring"
    yield Case(
        alert=name,
        what="in 13 days",
        series={of.envoy(days): "13x60"},
        quiet="14m30s",
        fires="15m",
        labels=of.ENVOY,
    )
    yield Case(alert=name, what="in 14", series={of.envoy(days): "14x60"}, quiet="30m")
    none = {of.envoy(days): "4294967295x60"}
    yield Case(alert=name, what="there is none", series=none, quiet="30m")
    name = "ContourCertificateRenewalFailed"
    space = {"namespace": "projectcontour"}
    failed = of.renewal(started=1000, failed=True)
    yield Case(
        alert=name, what="the first one", series=failed, quiet="14m30s", fires="15m", labels=space
    )
    again = of.renewal(started=1000, failed=True, succeeded=900)
    yield Case(
        alert=name, what="after a success", series=again, quiet="14m30s", fires="15m", labels=space
    )
    suspended = of.renewal(suspended=True)
    yield Case(
        alert=name, what="suspended", series=suspended, quiet="14m30s", fires="15m", labels=space
    )
    late = of.renewal(next_time=0)
    yield Case(alert=name, what="late", series=late, quiet="74m", fires="76m", labels=space)
    repaired = of.renewal(started=1000, failed=True, succeeded=2000)
    yield Case(alert=name, what="repaired since", series=repaired, quiet="2h")
    yield Case(alert=name, what="never run", series=of.renewal(), quiet="2h")


def _dns() -> Iterator[Case]:
    name = "EnvoyDNSDiffersFromReadyPods"
    job = {"job": "envoy-dns"}
    for what, answers, ready in (("too many", 3, 2), ("too few", 1, 2), ("none", 0, 2)):
        found = of.answers(f"{answers}x60") | of.slices("projectcontour", "envoy", ready)
        yield Case(alert=name, what=what, series=found, quiet="9m30s", fires="10m", labels=job)
    left = of.answers("2x60") | of.slices("projectcontour", "envoy", 0)
    yield Case(alert=name, what="none ready", series=left, quiet="9m", fires="10m", labels=job)
    gone = of.answers("0x120") | of.slices("projectcontour", "envoy", 0)
    yield Case(alert=name, what="none ready, none listed", series=gone, quiet="1h")
    equal = of.answers("2x120") | of.slices("projectcontour", "envoy", 2, not_ready=1)
    yield Case(alert=name, what="one starts", series=equal, quiet="1h")
    scaled = of.answers("1x18 2x100") | of.slices("projectcontour", "envoy", 2)
    yield Case(alert=name, what="scaled nine minutes ago", series=scaled, quiet="50m")
    name = "ExternalDNSSyncFails"
    fails = of.external_dns(errors="1x60", synced="0+30x60")
    pod = {"namespace": "external-dns", "pod": "external-dns-a"}
    yield Case(alert=name, what="refused", series=fails, quiet="4m30s", fires="5m", labels=pod)
    hangs = of.external_dns(errors="0x60", synced="0x60")
    yield Case(alert=name, what="hangs", series=hangs, quiet="8m", fires="8m30s", labels=pod)
    once = of.external_dns(errors="0x10 1x8 0x60", synced="0+30x100")
    yield Case(alert=name, what="throttled for a while", series=once, quiet="35m")


def _capacity() -> Iterator[Case]:
    space = {"namespace": "projectcontour"}
    name = "EnvoyAutoscalerAtMaximum"
    at_maximum = of.autoscaler(2, 4, "4x60")
    yield Case(alert=name, what="", series=at_maximum, quiet="14m30s", fires="15m", labels=space)
    yield Case(alert=name, what="a peak", series=of.autoscaler(2, 4, "4x25 3x60"), quiet="40m")
    yield Case(alert=name, what="a fixed fleet", series=of.autoscaler(4, 4, "4x90"), quiet="45m")
    name = "EnvoyAutoscalerBlind"
    blind = of.condition("ScalingActive", "1x60")
    yield Case(alert=name, what="", series=blind, quiet="9m30s", fires="10m", labels=space)
    sees = of.condition("ScalingActive", "0x60") | of.condition("ScalingLimited", "1x60")
    yield Case(alert=name, what="not limited", series=sees, quiet="30m")
    name = "EnvoyLoadUneven"
    hot = of.calls({"envoy-a": 100, "envoy-b": 20})
    yield Case(alert=name, what="", series=hot, quiet="20m", fires="21m", labels=of.ENVOY)
    # Until it has five minutes of samples, the rate is too low.
    few = of.calls({"envoy-a": 20, "envoy-b": 4})
    yield Case(
        alert=name, what="twelve a second", series=few, quiet="20m", fires="26m", labels=of.ENVOY
    )
    yield Case(
        alert=name, what="a little", series=of.calls({"envoy-a": 100, "envoy-b": 60}), quiet="1h"
    )
    yield Case(
        alert=name, what="few calls", series=of.calls({"envoy-a": 5, "envoy-b": 0}), quiet="1h"
    )
    drains = of.calls({"envoy-a": 100, "envoy-b": 0}, draining="envoy-b")
    yield Case(alert=name, what="the other drains", series=drains, quiet="1h")
    name = "EnvoyHeapNearLimit"
    heap = of.envoy("envoy_overload_envoy_resource_monitors_fixed_heap_pressure")
    yield Case(
        alert=name, what="", series={heap: "86x60"}, quiet="4m30s", fires="5m", labels=of.ENVOY
    )
    yield Case(alert=name, what="below", series={heap: "85x60"}, quiet="30m")
    yield Case(alert=name, what="a peak", series={heap: "80x5 90x8 80x60"}, quiet="30m")
    name = "EnvoyCircuitBreakerOverflow"
    for what, full in (
        ("calls in flight", of.refused(active="0x10 5x60")),
        ("calls that wait", of.refused(pending="0x10 5x60")),
    ):
        yield Case(
            alert=name,
            what=what,
            series=full,
            quiet="6m",
            fires="7m",
            labels={"service": "default/greeter"},
        )
    yield Case(alert=name, what="long ago", series=of.refused(active="7x60"), quiet="30m")
    contour = of.refused(active="0+5x60", name="projectcontour_contour_8001")
    yield Case(alert=name, what="no service", series=contour, quiet="30m")
    name = "EnvoyDrainCutShort"
    # The grace period ends after 600 s; the last scrape that has the pod is at 600 or 570.
    cut = of.terminating("_x10 600x10 stale")
    yield Case(alert=name, what="", series=cut, quiet="9m30s", fires="11m", labels=of.ENVOY)
    done = of.terminating("_x10 600x9 stale")
    yield Case(alert=name, what="its last call ended in time", series=done, quiet="40m")


def _services() -> Iterator[Case]:
    name = "ServiceWithoutEndpoints"
    service = {"service": "default/greeter"}
    none = of.members({"envoy-a": 0, "envoy-b": 0})
    yield Case(alert=name, what="", series=none, quiet="9m30s", fires="10m", labels=service)
    late = of.members({"envoy-a": 0, "envoy-b": 2})
    yield Case(alert=name, what="one Envoy has some", series=late, quiet="30m")
    name = "EnvoyEndpointsDiffer"
    two = of.slices("default", "greeter", 2)
    missed = of.members({"envoy-a": 0, "envoy-b": 0}) | two
    yield Case(
        alert=name,
        what="Contour missed a slice",
        series=missed,
        quiet="4m30s",
        fires="5m",
        labels=service,
    )
    gone = of.members({"envoy-a": 2}) | of.slices("default", "greeter", 0)
    yield Case(
        alert=name, what="all pods are gone", series=gone, quiet="4m30s", fires="5m", labels=service
    )
    one = of.members({"envoy-a": 1, "envoy-b": 2}) | two
    yield Case(
        alert=name,
        what="one Envoy is behind",
        series=one,
        quiet="4m30s",
        fires="5m",
        labels=service,
    )
    same = of.members({"envoy-a": 2, "envoy-b": 2}) | of.slices(
        "default", "greeter", 2, not_ready=1
    )
    yield Case(alert=name, what="a pod starts", series=same, quiet="30m")
    unknown = of.members({"envoy-a": 2})
    yield Case(alert=name, what="no metrics of EndpointSlices", series=unknown, quiet="30m")
    name = "GrpcFailureRateHigh"
    failed = {**service, "grpc_status": "UNAVAILABLE"}
    some = of.statuses({0: 970, 14: 30})
    yield Case(alert=name, what="three of 100", series=some, quiet="5m", fires="7m", labels=failed)
    more = of.statuses({0: 985, 14: 15})
    yield Case(alert=name, what="15 of 1000", series=more, quiet="5m", fires="7m", labels=failed)
    # Until it has five minutes of samples, the rate is too low.
    few = of.statuses({0: 50, 14: 2})
    yield Case(
        alert=name, what="four calls a minute", series=few, quiet="7m", fires="11m", labels=failed
    )
    yield Case(alert=name, what="five of 1000", series=of.statuses({0: 995, 14: 5}), quiet="30m")
    yield Case(alert=name, what="clients' own", series=of.statuses({0: 70, 5: 30}), quiet="30m")
    yield Case(
        alert=name, what="two calls a minute", series=of.statuses({0: 1, 14: 1}), quiet="30m"
    )
    name = "GrpcLatencyHigh"
    slow = of.latency("2500", messages=100)
    yield Case(alert=name, what="", series=slow, quiet="10m", fires="12m", labels=service)
    most = of.latency("2500", messages=100, faster=98)
    yield Case(alert=name, what="two of 100", series=most, quiet="10m", fires="12m", labels=service)
    yield Case(alert=name, what="fast", series=of.latency("500", messages=100), quiet="1h")
    yield Case(alert=name, what="two answers", series=of.latency("2500", messages=200), quiet="1h")


def _monitoring() -> Iterator[Case]:
    name = "GrpcPlatformMetricsMissing"
    for source in of.SOURCES:
        others = {metric: "1x60" for key, metric in of.SOURCES.items() if key != source}
        labels = {"source": source, **of.where(source)}
        yield Case(
            alert=name, what=source, series=others, quiet="14m30s", fires="15m", labels=labels
        )
    every = dict.fromkeys(of.SOURCES.values(), "1x120")
    yield Case(alert=name, what="all there", series=every, quiet="1h")


CASES = [*_control_plane(), *_dns(), *_capacity(), *_services(), *_monitoring()]
