"""One alert in plain values, and what the expressions of all alerts share."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..conventions import CONTOUR_NAMESPACE, EXTERNAL_DNS_NAMESPACE

Severity = Literal["critical", "warning"]
"""`critical`: calls fail, or will with the next change of the fleet or the load. `warning`: look at
it within a working day."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What counts as too much. The testbed and a stack that knows better may give others."""

    certificate_days: int = 14
    """Days until a certificate expires. Contour's are renewed when 270 are left, cert-manager's
    when a third of their life is left."""
    sync_seconds: int = 180
    """Seconds since external-dns's last successful sync; it syncs at least every 60."""
    renewal_seconds: int = 3600
    """Seconds by which the renewal of Contour's certificates may be late."""
    uneven_load: float = 1.5
    """An Envoy's calls, as a multiple of the fleet's mean. With two Envoys it is at most 2."""
    uneven_load_calls: float = 10
    """Calls per second and Envoy from which the load should be even."""
    heap_percent: int = 85
    """Percent of the heap at which Envoy sheds load; it shrinks its heap from 95% on and refuses
    calls from 98% on."""
    failed_share: float = 0.01
    """Share of a service's calls that may fail with one status."""
    failed_calls: float = 0.05
    """Failed calls per second below which a share says nothing."""
    slow_call_ms: int = 1000
    """The 99th percentile of a unary service's calls, in milliseconds, that counts as slow.
    A service that was half as slow a day before or slower does not."""
    drain_margin_seconds: int = 28
    """Seconds before the end of the termination grace period at which a drain should be over. It
    leaves 30 (`timing.MARGIN`), and scrapes are as far apart."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where the rules look, their thresholds, and the factor of their times."""

    scale: float = 1
    """Multiplies every duration: each `for`, range and threshold in seconds. 1 except on the
    testbed, whose own times are shorter."""
    contour_namespace: str = CONTOUR_NAMESPACE
    external_dns_namespace: str = EXTERNAL_DNS_NAMESPACE
    dns_probe_job: str = "envoy-dns"
    """The job of the blackbox exporter's DNS probe of the cluster's name."""
    thresholds: Thresholds = Thresholds()

    @property
    def here(self) -> str:
        """The matcher of Contour's and Envoy's namespace."""
        return f'namespace="{self.contour_namespace}"'

    @property
    def external_dns(self) -> str:
        """The matcher of external-dns's namespace."""
        return f'namespace="{self.external_dns_namespace}"'

    @property
    def services(self) -> str:
        """The matcher of Envoy's clusters that are services, not Contour or Envoy itself."""
        return (
            f'{self.here}, envoy_cluster_name!~"{self.contour_namespace}_(contour|envoy-admin)_.+"'
        )

    @property
    def clients(self) -> str:
        """The matcher of the listeners that clients dial, not those of metrics."""
        return f'{self.here}, envoy_http_conn_manager_prefix=~"ingress_https?"'

    def time(self, text: str) -> str:
        """A duration such as `5m`, scaled, as Prometheus reads it."""
        number, unit = int(text[:-1]), text[-1]
        return _duration(number * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] * self.scale)

    def seconds(self, seconds: float) -> str:
        """A threshold in seconds, scaled, as a number."""
        return f"{seconds * self.scale:g}"


def _duration(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return f"{milliseconds}ms"
    whole = milliseconds // 1000
    for unit, length in (("h", 3600), ("m", 60)):
        if whole and whole % length == 0:
            return f"{whole // length}{unit}"
    return f"{whole}s"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alerting rule. `summary` and `description` may use Prometheus's templates."""

    name: str
    """CamelCase; also the name of its runbook."""
    expr: str
    wait: str = "0s"
    """Its `for`: how long `expr` must hold, before scaling."""
    severity: Severity
    summary: str
    """What is wrong, in a few words and without values."""
    description: str
    """What is wrong, where, and what it leads to."""
    dashboard: str
    """The dashboard that shows it, by its uid."""

    def rule(self, scope: Scope, link: Callable[[str], str], dashboard_url: str) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": one_line(self.expr),
            "for": scope.time(self.wait),
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": one_line(self.description),
                "runbook_url": link(self.name),
                "dashboard_url": f"{dashboard_url}/d/{self.dashboard}",
            },
        }


def by_service(expr: str) -> str:
    """`expr`, whose series have Envoy's cluster (`<namespace>_<Service>_<port>`), with the label
    `service` (`<namespace>/<Service>`)."""
    pattern = "([^_]+)_([^_]+)_.+"
    return f'label_replace({expr}, "service", "$1/$2", "envoy_cluster_name", "{pattern}")'


def one_line(text: str) -> str:
    """`text` without line breaks and indentation."""
    return re.sub(r"\s+", " ", text).strip()
