"""A dashboard's panels, with what Prometheus answers to their queries."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

from experiments.experiment import Result
from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.monitoring.watch import Monitoring

SERVICE = "default_load_50051"
"""The service that the service's dashboard shows, as Envoy names it."""
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A Prometheus, and a time that it has watched."""

    monitoring: Monitoring
    since: float
    until: float
    step: float
    """Seconds between the points of a panel."""
    interval: float
    """Seconds between scrapes."""

    def dashboard(self, text: str) -> Result:
        """The rows of a dashboard with the points of each panel, and the values of its
        variables."""
        board = json.loads(text)
        rows: list[Result] = []
        for panel in board["panels"]:
            if panel["type"] == "row":
                rows.append({"title": panel["title"], "panels": []})
            else:
                rows[-1]["panels"].append(self._panel(panel))
        variables = {
            each["name"]: self._choices(each["query"])
            for each in board["templating"]["list"]
            if each["type"] == "query"
        }
        return {"title": board["title"], "rows": rows, "variables": variables}

    def points(self, *queries: str) -> list[list[Result]]:
        """The series of each query, with a value or None at each step."""
        asked = [self.filled_in(query) for query in queries]
        said = self.monitoring.ranges(asked, since=self.since, until=self.until, step=self.step)
        return [[self._one(series) for series in answer] for answer in said]

    def filled_in(self, query: str) -> str:
        """A query with its variables' values, as Grafana fills them in."""
        # https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/
        rate_interval = max(4 * self.interval, self.step + self.interval)
        values = {
            "namespace": CONTOUR_NAMESPACE,
            "service": SERVICE,
            "__rate_interval": f"{round(1000 * rate_interval)}ms",
        }
        return Template(query).substitute(values)

    def _panel(self, panel: Mapping[str, Any]) -> Result:
        targets = panel["targets"]
        answers = self.points(*(target["expr"] for target in targets))
        defaults = panel["fieldConfig"]["defaults"]
        steps = defaults.get("thresholds", {}).get("steps", [])
        queries: list[Result] = [
            {
                "expr": target["expr"],
                "series": [_named(target["legendFormat"], one) for one in series],
            }
            for target, series in zip(targets, answers, strict=True)
        ]
        return {
            "title": panel["title"],
            "unit": defaults["unit"],
            "stacked": "stacking" in defaults.get("custom", {}),
            "limit": steps[-1]["value"] if steps else None,
            "queries": queries,
        }

    def _one(self, series: Mapping[str, Any]) -> Result:
        known = {
            round((float(at) - self.since) / self.step): _rounded(float(value))
            for at, value in series["values"]
        }
        length = int((self.until - self.since) / self.step) + 1
        return {"labels": series["metric"], "values": [known.get(n) for n in range(length)]}

    def _choices(self, query: str) -> list[str]:
        found = _LABEL_VALUES.fullmatch(query)
        assert found, query
        labels = [one["labels"] for one in self.points(found[1])[0]]
        return sorted({each[found[2]] for each in labels})


def _named(legend: str, series: Result) -> Result:
    labels = series["labels"]
    name = re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), legend)
    return {"name": name, "values": series["values"]}


def _rounded(value: float) -> float | None:
    """Short numbers: thousands of them are committed."""
    return None if value != value else float(f"{value:.{_DIGITS}g}")
