"""How Prometheus finds Contour, Envoy and external-dns, and what it alerts on."""

from typing import Annotated

from pydantic import Field

from .base import Cidr, Label, LabelKey, LabelValue, SecurityGroupId, Spec

Url = Annotated[str, Field(pattern=r"^https?://\S*[^\s/]$")]
"""An address without a slash at its end."""


class RulesSpec(Spec):
    """Where the alerts' links lead."""

    runbook_url: Url
    """The folder of the runbooks, such as docs/runbooks of your copy of this repository; an alert
    links to `<runbook_url>/<alert>.md`."""
    dashboard_url: Url
    """Your Grafana; an alert links to `<dashboard_url>/d/<dashboard>`."""


class MonitoringSpec(Spec):
    """PodMonitors and a PrometheusRule, or annotations on the pods."""

    pod_monitors: bool = False
    """Scrape by PodMonitors in place of `prometheus.io/` annotations on the pods. Needs the
    Prometheus operator's CRDs in every serving cluster. A change restarts the pods."""
    rules: RulesSpec | None = None
    """The alerts as a PrometheusRule. Needs the same CRDs."""
    dashboards: bool = False
    """The Grafana dashboards as a ConfigMap with the label `grafana_dashboard: "1"`, which the
    sidecar of Grafana's chart looks for."""
    labels: dict[LabelKey, LabelValue] = {}
    """Labels of the PodMonitors and the PrometheusRule, by which the operator's Prometheus selects
    them (kube-prometheus-stack: `release`)."""

    @property
    def needs_operator(self) -> bool:
        """Whether any of it needs the Prometheus operator's CRDs."""
        return self.pod_monitors or self.rules is not None


class ScraperSpec(Spec):
    """One source allowed to read metrics. Give `namespaces` and `pod_labels` for pods of the
    serving cluster, or `cidr` with or without `security_group_id` for everything else."""

    namespaces: tuple[Label, ...] = ()
    """The scraper's namespaces; all when empty."""
    pod_labels: dict[LabelKey, LabelValue] = {}
    """Labels of the scraper's pods; all pods when empty."""
    security_group_id: SecurityGroupId | None = None
    """A security group of the scraper's network interfaces, as a managed collector has."""
    cidr: Cidr | None = None
    """The scraper's addresses. For a pod on the host network: the nodes' subnets, because a
    NetworkPolicy knows such a pod by its node's address only."""
