"""Who may read metrics: a rule for NetworkPolicies, and security-group rules for sources outside
the cluster."""

from __future__ import annotations  # EC2 loads when used: it takes a second

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from ..conventions import CONTOUR_METRICS_PORT, ENVOY_METRICS_PORT, EXTERNAL_DNS_METRICS_PORT
from ..inputs import checked
from ..network_policy import addresses, pods_of, tcp
from ..specs.base import Cidr, Label

_METRICS = {
    "Contour": CONTOUR_METRICS_PORT,
    "Envoy": ENVOY_METRICS_PORT,
    "external-dns": EXTERNAL_DNS_METRICS_PORT,
}


@dataclass(frozen=True, kw_only=True)
class Scraper:
    """One source allowed to read metrics. Give `namespaces` and `pod_labels` for pods of the
    serving cluster, or `cidr` with or without `security_group_id` for everything else."""

    namespaces: Sequence[pulumi.Input[str]] = ()
    """The scraper's namespaces; all when empty."""
    pod_labels: Mapping[str, pulumi.Input[str]] = field(
        default_factory=dict[str, pulumi.Input[str]]
    )
    """Labels of the scraper's pods; all pods when empty."""
    security_group_id: pulumi.Input[str] | None = None
    """A security group of the scraper's network interfaces."""
    cidr: pulumi.Input[str] | None = None
    """The scraper's addresses. For a pod on the host network: the nodes' subnets."""


def scraped(
    scrapers: Mapping[str, Scraper], port: int
) -> k8s.networking.v1.NetworkPolicyIngressRuleArgs:
    """Admit the scrapers to a metrics port; every pod of the cluster if there is none."""
    peers = [_peer(f"scrapers: {key}", each) for key, each in scrapers.items()]
    return k8s.networking.v1.NetworkPolicyIngressRuleArgs(
        from_=peers or [pods_of(())], ports=[tcp(port)]
    )


def scraper_rules(
    name: str,
    scrapers: Mapping[str, Scraper],
    group_id: pulumi.Input[str],
    tags: Mapping[str, str],
    parent: pulumi.Resource,
) -> None:
    """One ingress rule for each scraper outside the cluster and each metrics port. Scrapers that
    share a source share its rules: AWS refuses a duplicate rule."""
    sources: dict[str, list[str]] = {}
    for key, scraper in scrapers.items():
        if scraper.cidr is not None:
            sources.setdefault(_source(key, scraper), []).append(key)
    for source, keys in sources.items():
        scraper = scrapers[keys[0]]
        for part, port in _METRICS.items():
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-metrics-{source}-{port}",
                security_group_id=group_id,
                description=f"{', '.join(keys)} to metrics of {part}",
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                referenced_security_group_id=scraper.security_group_id,
                cidr_ipv4=scraper.cidr if scraper.security_group_id is None else None,
                tags=tags,
                opts=pulumi.ResourceOptions(parent=parent),
            )


def _source(key: str, scraper: Scraper) -> str:
    """The source's content if it is plain, so that a renamed scraper keeps its rules."""
    source = scraper.cidr if scraper.security_group_id is None else scraper.security_group_id
    # No security group or block has such a name.
    return source if isinstance(source, str) else f"{key}.scraper"


def _peer(who: str, scraper: Scraper) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    if scraper.cidr is not None:
        return addresses(checked(who, "cidr", Cidr, scraper.cidr))
    namespaces = [checked(who, "namespaces", Label, each) for each in scraper.namespaces]
    return pods_of(namespaces, scraper.pod_labels)
