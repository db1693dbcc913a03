"""external-dns: publishes the addresses of Envoy's ready pods under one name."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s

from .. import versions
from ..conventions import (
    EXTERNAL_DNS,
    EXTERNAL_DNS_ANNOTATION_PREFIX,
    EXTERNAL_DNS_CPU,
    EXTERNAL_DNS_MEMORY,
    EXTERNAL_DNS_METRICS_PORT,
    EXTERNAL_DNS_NAMESPACE,
    OWNERSHIP_PREFIX,
)
from ..monitoring.scrapers import Scraper, scraped
from ..network_policy import admit_only
from ..options import for_children_too
from ..pods import (
    CONTAINER_SECURITY,
    image,
    labels,
    metadata,
    pod_security,
    pull_secrets,
    selector,
    template_metadata,
)
from ..rules import refuse
from ..rules.serving import dns_credentials
from ..specs import ExternalDnsSpec
from ..timing import EXTERNAL_DNS_SYNC_INTERVAL, format_duration
from .pod_identity import pod_identity


@dataclass(frozen=True, kw_only=True)
class ExternalDnsArgs:
    """Where external-dns runs, and the one name that it publishes."""

    cluster_name: pulumi.Input[str] | None
    """The EKS cluster, for a role by Pod Identity; None outside EKS: `spec.credentials_secret`."""
    owner_id: pulumi.Input[str]
    """Marks the records as this cluster's. It must be unique among all that write to the zone, and
    must not change while the records exist: external-dns silently skips records of another
    owner."""
    former_owner_id: pulumi.Input[str] | None = None
    """An owner id whose records external-dns takes over."""
    zone_id: pulumi.Input[str]
    zone_arn: pulumi.Input[str]
    dns_name: pulumi.Input[str]
    """The DNS name with Envoy's addresses."""
    envoy_namespace: pulumi.Input[str]
    """The only namespace whose Services external-dns reads."""
    spec: ExternalDnsSpec = field(default_factory=ExternalDnsSpec)
    image: pulumi.Input[str] | None = None
    """Replaces `spec.image` if the same program makes the repository."""
    image_pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Secrets in external-dns's namespace that the image is pulled with, by name."""
    scrapers: Mapping[str, Scraper] = field(default_factory=dict[str, Scraper])
    """The sources that may read metrics, by name. When empty, every pod of the cluster may."""
    scrape_annotations: bool = True
    """Whether the pods have `prometheus.io/` annotations; `Monitoring`'s PodMonitors replace
    them."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class ExternalDns(pulumi.ComponentResource):
    """Creates external-dns in its own namespace, with a network policy. It may write one A record
    and its TXT record.

    In EKS the component also makes the role and its Pod Identity association. A pod gets its
    identity only when it is created, so the association comes first and a new association replaces
    the pod. EKS takes some seconds to act on a new association. Put Envoy into `opts.depends_on`:
    its start takes longer, and the first sync then finds its addresses.

    The Deployment becomes ready when a first sync has had time to run. Only the metric
    `external_dns_controller_consecutive_soft_errors` shows whether syncs succeed: external-dns just
    logs a refused Route53 call.

    Raises ValueError if `spec.credentials_secret` is missing outside EKS, and for an image without
    a tag or digest.
    """

    namespace: pulumi.Output[str]
    """The namespace of external-dns."""
    deployment: k8s.apps.v1.Deployment
    """Created last: to depend on it is to depend on the whole component."""

    def __init__(
        self, name: str, args: ExternalDnsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        refuse(
            f"ExternalDns {name}",
            dns_credentials(args.cluster_name, args.spec, ("cluster_name",)),
        )
        super().__init__("grpc-platform:index:ExternalDns", name, {}, for_children_too(opts))
        child = pulumi.ResourceOptions(parent=self)
        namespace = k8s.core.v1.Namespace(
            name,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=EXTERNAL_DNS_NAMESPACE,
                labels={**labels(EXTERNAL_DNS), "pod-security.kubernetes.io/enforce": "restricted"},
            ),
            opts=child,
        )
        self.namespace = namespace.metadata["name"]
        account = k8s.core.v1.ServiceAccount(
            f"{name}-account",
            metadata=metadata(EXTERNAL_DNS, self.namespace, EXTERNAL_DNS),
            opts=child,
        )
        binding = _read_envoy_namespace(name, args.envoy_namespace, self.namespace, child)
        policy = admit_only(
            f"{name}-network-policy",
            metadata(EXTERNAL_DNS, self.namespace, EXTERNAL_DNS),
            EXTERNAL_DNS,
            [scraped(args.scrapers, EXTERNAL_DNS_METRICS_PORT)],
            child,
        )
        identity: dict[str, pulumi.Input[str]] = {}
        if args.cluster_name is not None:
            names = pulumi.Output.from_input(args.dns_name).apply(
                lambda own: [own, ownership_record(own)]
            )
            association = pod_identity(
                name, args.cluster_name, args.zone_arn, names, tags=args.tags, child=child
            )
            identity["grpc-platform/pod-identity"] = association.association_id
        self.deployment = k8s.apps.v1.Deployment(
            f"{name}-deployment",
            metadata=metadata(EXTERNAL_DNS, self.namespace, EXTERNAL_DNS),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=1,  # external-dns has no leader election
                strategy=k8s.apps.v1.DeploymentStrategyArgs(type="Recreate"),
                # /healthz answers before the first sync; this delay gives the sync time to run.
                min_ready_seconds=15,
                selector=k8s.meta.v1.LabelSelectorArgs(match_labels=selector(EXTERNAL_DNS)),
                template=k8s.core.v1.PodTemplateSpecArgs(
                    metadata=template_metadata(
                        EXTERNAL_DNS,
                        EXTERNAL_DNS_METRICS_PORT,
                        "/metrics",
                        annotate=args.scrape_annotations,
                        annotations=identity,
                    ),
                    spec=k8s.core.v1.PodSpecArgs(
                        service_account_name=account.metadata["name"],
                        security_context=pod_security(),
                        containers=[_container(args)],
                        image_pull_secrets=pull_secrets(args.image_pull_secrets),
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[binding, policy]),
        )
        self.register_outputs({"namespace": self.namespace})


def ownership_record(dns_name: str) -> str:
    """The TXT record that external-dns writes beside the A record `dns_name`."""
    return OWNERSHIP_PREFIX + dns_name


def flags(
    *,
    owner_id: pulumi.Input[str],
    former_owner_id: pulumi.Input[str] | None,
    zone_id: pulumi.Input[str],
    dns_name: pulumi.Input[str],
    envoy_namespace: pulumi.Input[str],
) -> list[pulumi.Input[str]]:
    """external-dns 0.21's command line: one name, from one namespace's headless Services.

    https://github.com/kubernetes-sigs/external-dns/blob/v0.21.0/docs/flags.md
    """
    # With this flag each sync writes both records again, changed or not. It affects only
    # `dns_name`: the domain filter excludes all other records.
    take_over = (
        []
        if former_owner_id is None
        else [pulumi.Output.format("--migrate-from-txt-owner={0}", former_owner_id)]
    )
    return [
        "--provider=aws",
        "--source=service",
        pulumi.Output.format("--namespace={0}", envoy_namespace),
        "--service-type-filter=ClusterIP",
        f"--annotation-prefix={EXTERNAL_DNS_ANNOTATION_PREFIX}",
        pulumi.Output.format("--zone-id-filter={0}", zone_id),
        # The filter is a name within the zone, so it matches the zone only as its parent.
        pulumi.Output.format("--domain-filter={0}", dns_name),
        "--aws-zone-match-parent",
        "--managed-record-types=A",
        # `sync` would delete the name when a fleet has no ready pod for a moment.
        "--policy=upsert-only",
        "--registry=txt",
        pulumi.Output.format("--txt-owner-id={0}", owner_id),
        *take_over,
        "--txt-prefix=_external-dns-%{record_type}.",
        # --events alone watches Services, not pods that come and go.
        "--events",
        "--listen-endpoint-events",
        f"--min-event-sync-interval={format_duration(EXTERNAL_DNS_SYNC_INTERVAL)}",
        "--interval=1m",
        # Route53 allows five requests a second per account; uncached, each sync lists all zones
        # three times.
        "--aws-zones-cache-duration=5m",
        f"--metrics-address=:{EXTERNAL_DNS_METRICS_PORT}",
    ]


def _read_envoy_namespace(
    name: str,
    envoy_namespace: pulumi.Input[str],
    own_namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> k8s.rbac.v1.RoleBinding:
    watch = ["list", "watch"]
    role = k8s.rbac.v1.Role(
        f"{name}-reader",
        metadata=metadata(EXTERNAL_DNS, envoy_namespace, EXTERNAL_DNS),
        rules=[
            k8s.rbac.v1.PolicyRuleArgs(
                api_groups=[""], resources=["services", "pods"], verbs=watch
            ),
            k8s.rbac.v1.PolicyRuleArgs(
                api_groups=["discovery.k8s.io"], resources=["endpointslices"], verbs=watch
            ),
        ],
        opts=child,
    )
    return k8s.rbac.v1.RoleBinding(
        f"{name}-binding",
        metadata=metadata(EXTERNAL_DNS, envoy_namespace, EXTERNAL_DNS),
        role_ref=k8s.rbac.v1.RoleRefArgs(
            api_group="rbac.authorization.k8s.io", kind="Role", name=role.metadata["name"]
        ),
        subjects=[
            k8s.rbac.v1.SubjectArgs(
                kind="ServiceAccount", name=EXTERNAL_DNS, namespace=own_namespace
            )
        ],
        opts=child,
    )


def _container(args: ExternalDnsArgs) -> k8s.core.v1.ContainerArgs:
    spec = args.spec
    env: dict[str, str] = {}
    secrets: list[str] = []
    if args.cluster_name is None and spec.credentials_secret is not None:
        secrets.append(spec.credentials_secret)
        # Requests to Route53 are signed for this region; AWS_REGION in the Secret says otherwise.
        env["AWS_DEFAULT_REGION"] = "us-east-1"
    if spec.route53_endpoint is not None:
        env["AWS_ENDPOINT_URL_ROUTE_53"] = spec.route53_endpoint
    # It does not show whether syncs succeed: it answers as long as the process lives.
    health = k8s.core.v1.HTTPGetActionArgs(path="/healthz", port="http")
    return k8s.core.v1.ContainerArgs(
        name=EXTERNAL_DNS,
        image=image("external_dns.image", args.image, spec.image, versions.EXTERNAL_DNS_IMAGE),
        args=flags(
            owner_id=args.owner_id,
            former_owner_id=args.former_owner_id,
            zone_id=args.zone_id,
            dns_name=args.dns_name,
            envoy_namespace=args.envoy_namespace,
        ),
        env=[k8s.core.v1.EnvVarArgs(name=key, value=value) for key, value in env.items()],
        env_from=[
            k8s.core.v1.EnvFromSourceArgs(secret_ref=k8s.core.v1.SecretEnvSourceArgs(name=secret))
            for secret in secrets
        ],
        ports=[
            k8s.core.v1.ContainerPortArgs(name="http", container_port=EXTERNAL_DNS_METRICS_PORT)
        ],
        readiness_probe=k8s.core.v1.ProbeArgs(http_get=health, period_seconds=2),
        liveness_probe=k8s.core.v1.ProbeArgs(http_get=health),
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": EXTERNAL_DNS_CPU, "memory": EXTERNAL_DNS_MEMORY},
            limits={"memory": EXTERNAL_DNS_MEMORY},
        ),
        security_context=CONTAINER_SECURITY,
    )
