"""Checks rules and dashboards without a Prometheus: what they name is exported, and the like.

`python -m tests.monitoring.lint` is part of `make check`. exported.json lists what Contour, Envoy,
external-dns, kube-state-metrics and the blackbox exporter export.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grpc_platform.monitoring.grafana import dashboards
from grpc_platform.monitoring.rules import groups
from tests.monitoring import panels
from tests.monitoring.promql import Metric, read
from tests.tree import ROOT

EXPORTED = ROOT / "tests" / "monitoring" / "exported.json"
SHORTEST_RANGE = 120.0
"""Seconds: four of Prometheus's usual 30 s between scrapes, so that one may fail."""
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url"}


def exported() -> dict[str, Metric]:
    """Every metric that something exports. Histograms and summaries also have the names of their
    series."""
    found: dict[str, Metric] = {}
    for metrics in json.loads(EXPORTED.read_text()).values():
        for name, (kind, *labels) in metrics.items():
            found[name] = Metric(kind, frozenset(labels))
            if kind == "histogram":
                found[f"{name}_bucket"] = Metric(kind, frozenset([*labels, "le"]))
                found[f"{name}_sum"] = found[f"{name}_count"] = found[name]
            if kind == "summary":
                counts = Metric("counter", frozenset(labels))
                found[f"{name}_sum"] = found[f"{name}_count"] = counts
    return found


def problems(found: Sequence[Mapping[str, Any]], metrics: Mapping[str, Metric]) -> list[str]:
    """A line for each mistake in rule groups."""
    known = dict(metrics)
    lines: list[str] = []
    for rule in (rule for group in found for rule in group["rules"]):
        name = rule.get("alert") or rule["record"]
        reading, labels = read(rule["expr"], known)
        short = [length for length in reading.ranges if length < SHORTEST_RANGE]
        said = [*reading.problems, *(f"a range of {s:g} s: too short" for s in short)]
        if "alert" in rule:
            said += _alert(rule, labels)
            if not reading.filters:
                said.append("compares nothing, so it fires always")
        else:
            known[name] = Metric("gauge", labels)
        lines += [f"{name}: {line}" for line in dict.fromkeys(said)]
    return lines


def _alert(rule: Mapping[str, Any], labels: frozenset[str]) -> Iterator[str]:
    if "for" not in rule:
        yield "has no for"
    if rule.get("labels", {}).get("severity") not in {"critical", "warning"}:
        yield "has no severity"
    annotations: Mapping[str, str] = rule.get("annotations", {})
    if missing := ANNOTATIONS - annotations.keys():
        yield f"has no {', '.join(sorted(missing))}"
    for used in re.findall(r"\$labels\.(\w+)", " ".join(annotations.values())):
        if used not in labels:
            yield f"an annotation uses the label {used}, which its expression does not keep"


def main() -> int:
    """Print the mistakes; the exit status says whether there are any."""
    metrics = exported()
    found = [*problems(groups(), metrics), *panels.problems(dashboards(), metrics)]
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
