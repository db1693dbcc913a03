"""Checks the dashboards without a Prometheus: what their queries name is exported."""

import json
import re
from collections.abc import Iterator, Mapping
from string import Template

from tests.monitoring.promql import Metric, read

_VALUES = {"namespace": "projectcontour", "service": "default_a_1", "__rate_interval": "2m"}
"""What Grafana fills in."""


def problems(texts: Mapping[str, str], metrics: Mapping[str, Metric]) -> list[str]:
    """A line for each mistake in dashboards, by the name of their file."""
    return [f"{name}: {line}" for name, text in texts.items() for line in _of_one(text, metrics)]


def _of_one(text: str, metrics: Mapping[str, Metric]) -> Iterator[str]:
    board = json.loads(text)
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            series, _, label = variable["query"].removeprefix("label_values(").rpartition(", ")
            # Its labels, and not its values: a counter is as good as a gauge.
            query = f"count_over_time({series}[2m])"
            yield from _of_query(variable["name"], query, label.rstrip(")"), metrics)
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            legend = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            for label in legend or [""]:
                yield from _of_query(panel["title"], target["expr"], label, metrics)


def _of_query(where: str, query: str, label: str, metrics: Mapping[str, Metric]) -> Iterator[str]:
    """The mistakes of a query whose series are told apart by ``label``, if they are."""
    reading, labels = read(Template(query).substitute(_VALUES), metrics)
    yield from (f"{where}: {line}" for line in dict.fromkeys(reading.problems))
    if label and label not in labels:
        yield f"{where}: the series have no label {label}"
