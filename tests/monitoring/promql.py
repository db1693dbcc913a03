"""What an expression of PromQL uses, and which labels its result has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

TARGET = frozenset({"job", "instance", "namespace", "pod", "container", "endpoint"})
"""Labels that a scrape adds. Both PodMonitors and the usual configuration for annotations add
`namespace` and `pod`."""

_RATES = {"rate", "irate", "increase"}
_COUNTERS = {"counter", "histogram"}
_SETS = {"and", "unless"}
_CHOICES = {"topk", "bottomk"}
"""Aggregations that keep series as they are."""


@dataclass(frozen=True)
class Metric:
    """What is known of a metric."""

    type: str
    labels: frozenset[str]


@dataclass
class Reading:
    """One expression, read to its end."""

    metrics: Mapping[str, Metric]
    problems: list[str] = field(default_factory=list[str])
    ranges: list[float] = field(default_factory=list[float])
    """The lengths of its ranges, in seconds."""
    filters: bool = False
    """Whether it compares anything, or asks for something absent: an alert that does not would
    fire always."""

    def labels(self, expr: Any) -> frozenset[str]:
        """The labels that every series of the result has; notes problems on the way."""
        match expr:
            case promql.VectorSelector():
                return self._selector(expr, inside="")
            case promql.MatrixSelector():
                return self._selector(expr.vector_selector, inside="a range")
            case promql.SubqueryExpr() | promql.ParenExpr() | promql.UnaryExpr():
                return self.labels(expr.expr)
            case promql.Call():
                return self._call(expr)
            case promql.AggregateExpr():
                return self._aggregate(expr)
            case promql.BinaryExpr():
                return self._binary(expr)
            case _:
                return frozenset()

    def _selector(self, selector: promql.VectorSelector, *, inside: str) -> frozenset[str]:
        name = selector.name
        metric = self.metrics.get(name or "")
        if metric is None:
            self.problems.append(f"{name}: nobody exports this metric")
            return TARGET
        if metric.type in _COUNTERS and not inside:
            self.problems.append(f"{name} is a {metric.type}: use it in rate or increase only")
        known = metric.labels | TARGET
        for matcher in selector.matchers.matchers:
            if matcher.name not in known:
                self.problems.append(f"{name} has no label {matcher.name}")
        return known

    def _call(self, call: promql.Call) -> frozenset[str]:
        name, arguments = call.func.name, call.args
        if name in {"label_replace", "label_join"}:
            return self._label(name, arguments)
        if name == "absent":
            self.filters = True
            selector = arguments[0]
            self._selector(selector, inside="absent")
            equal = promql.MatchOp.Equal
            return frozenset(m.name for m in selector.matchers.matchers if m.op == equal)
        if name in _RATES:
            selected = arguments[0]
            self.ranges.append(selected.range.total_seconds())
            metric = self.metrics.get(selected.vector_selector.name or "")
            if metric and metric.type not in _COUNTERS:
                self.problems.append(f"{name} of {selected.vector_selector.name}, a {metric.type}")
        found = [self.labels(argument) for argument in arguments]
        if name == "histogram_quantile":
            if "le" not in found[1]:
                self.problems.append("histogram_quantile without the label le")
            return found[1] - {"le"}
        return max(found, key=len) if found else frozenset()

    def _label(self, name: str, arguments: list[Any]) -> frozenset[str]:
        known = self.labels(arguments[0])
        rest: list[str] = [argument.val for argument in arguments[1:]]
        sources = [rest[2]] if name == "label_replace" else rest[2:]
        for source in sources:
            if source and source not in known:
                self.problems.append(f"{name}: there is no label {source}")
        return known | {rest[0]}

    def _aggregate(self, aggregate: promql.AggregateExpr) -> frozenset[str]:
        known = self.labels(aggregate.expr)
        if str(aggregate.op) in _CHOICES:
            return known
        if aggregate.modifier is None:
            return frozenset()
        given = frozenset(aggregate.modifier.labels)
        if missing := given - known:
            self.problems.append(f"{aggregate.op} by {', '.join(sorted(missing))}: no such label")
        return given if aggregate.modifier.type == promql.AggModifierType.By else known - given

    def _binary(self, binary: promql.BinaryExpr) -> frozenset[str]:
        operator = str(binary.op)
        left, right = self.labels(binary.lhs), self.labels(binary.rhs)
        if operator in {"==", "!=", ">", "<", ">=", "<="}:
            self.filters = True
        matching = binary.modifier and binary.modifier.matching
        on = frozenset(matching.labels) if matching else None
        for side in (left, right):
            if on and (missing := on - side):
                self.problems.append(f"on {', '.join(sorted(missing))}: one side has no such label")
        if operator in _SETS:
            return left
        if operator == "or":
            return left & right
        if not left or not right:
            return left | right
        modifier = binary.modifier
        if modifier and modifier.card == promql.VectorMatchCardinality.ManyToOne:
            return left | frozenset(modifier.group_labels or ())
        return left & right if on is None else on


def read(expr: str, metrics: Mapping[str, Metric]) -> tuple[Reading, frozenset[str]]:
    """Read an expression; the second value is what labels its series have."""
    reading = Reading(metrics)
    try:
        parsed = promql.parse(expr)
    except ValueError as error:
        reading.problems.append(str(error))
        return reading, frozenset()
    return reading, reading.labels(parsed)
