"""The Envoy fleet: clients dial its pods directly."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s

from .. import pods, versions
from ..conventions import ENVOY, ENVOY_METRICS_PORT, EXTERNAL_DNS_ANNOTATION_PREFIX
from ..options import for_children_too
from ..rules import refuse
from ..rules.serving import envoy_is_possible
from ..specs import ContourSpec, EnvoySpec
from ..timing import DnsTiming, Timing, format_duration, timing_of, whole_seconds
from . import fleet
from .pod import envoy_pod


@dataclass(frozen=True, kw_only=True)
class EnvoyArgs:
    """Where the fleet runs, from where it gets its configuration, and its DNS name."""

    namespace: pulumi.Input[str]
    """Contour's namespace: Envoy's client certificate is a Secret there."""
    xds_address: pulumi.Input[str]
    """Contour's host. As an output of Contour it makes the fleet start after Contour serves: an
    Envoy without an answer waits 15 s before it listens."""
    dns_name: pulumi.Input[str]
    """The name under which external-dns publishes the ready pods' addresses."""
    dns_timing: DnsTiming = DnsTiming()
    """The times of the DNS name's zone."""
    spec: EnvoySpec = field(default_factory=EnvoySpec)
    contour: ContourSpec = field(default_factory=ContourSpec)
    """Contour's image writes Envoy's bootstrap and drains Envoy; its timeouts decide how long
    drains take."""
    image: pulumi.Input[str] | None = None
    """Replaces `spec.image` if the same program makes the repository."""
    contour_image: pulumi.Input[str] | None = None
    """The same for `contour.image`."""
    image_pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Secrets in `namespace` that the images are pulled with, by name."""
    scrape_annotations: bool = True
    """Whether the pods have `prometheus.io/` annotations; `Monitoring`'s PodMonitors replace
    them."""

    @property
    def timing(self) -> Timing:
        """The times that follow from these values."""
        return timing_of(self.dns_timing, self.contour, self.spec)


class Envoy(pulumi.ComponentResource):
    """Creates the fleet's Deployment, autoscaler, disruption budget, headless Service and account.

    The Deployment has no `replicas`: it starts with one pod, and the autoscaler brings it to
    `spec.min_replicas` within seconds. A terminating pod keeps serving for `timing.drain_delay`,
    then asks its clients to reconnect as they call. It exits with its last connection, at the
    latest after `timing.termination_grace_period`. `Callers` decides who may reach the pods; the
    Deployment waits for everything in `opts.depends_on`.

    Raises ValueError for a fleet that `rules.serving.envoy_is_possible` refuses, and for an image
    without a tag or digest.
    """

    service_name: pulumi.Output[str]
    """The headless Service whose endpoints external-dns publishes."""

    def __init__(
        self, name: str, args: EnvoyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        refuse(f"Envoy {name}", envoy_is_possible(args.spec))
        super().__init__("grpc-platform:index:Envoy", name, {}, for_children_too(opts))
        child = pulumi.ResourceOptions(parent=self)
        # Its own account, so that no permission of the default account reaches Envoy.
        account = k8s.core.v1.ServiceAccount(
            f"{name}-account",
            metadata=pods.metadata(ENVOY, args.namespace, ENVOY),
            automount_service_account_token=False,
            opts=child,
        )
        wait = format_duration(args.timing.rollout_deadline)
        deployment = k8s.apps.v1.Deployment(
            name,
            metadata=pods.metadata(ENVOY, args.namespace, ENVOY),
            spec=_deployment(args, account),
            opts=pulumi.ResourceOptions(
                parent=self,
                custom_timeouts=pulumi.CustomTimeouts(create=wait, update=wait, delete=wait),
            ),
        )
        k8s.autoscaling.v2.HorizontalPodAutoscaler(
            f"{name}-autoscaler",
            metadata=pods.metadata(ENVOY, args.namespace, ENVOY),
            spec=_autoscaler(args, deployment),
            opts=child,
        )
        pods.disruption_budget(f"{name}-disruption-budget", ENVOY, args.namespace, child)
        service = k8s.core.v1.Service(
            f"{name}-service",
            metadata=pods.metadata(
                ENVOY,
                args.namespace,
                ENVOY,
                {
                    f"{EXTERNAL_DNS_ANNOTATION_PREFIX}hostname": args.dns_name,
                    f"{EXTERNAL_DNS_ANNOTATION_PREFIX}ttl": str(
                        whole_seconds(args.timing.record_ttl)
                    ),
                },
            ),
            spec=k8s.core.v1.ServiceSpecArgs(
                cluster_ip="None",
                selector=pods.selector(ENVOY),
                # A terminating Envoy is not ready, and must leave DNS at once.
                publish_not_ready_addresses=False,
                ports=[
                    k8s.core.v1.ServicePortArgs(name="http", port=args.spec.http_port),
                    k8s.core.v1.ServicePortArgs(name="https", port=args.spec.https_port),
                ],
            ),
            # After the Deployment's rollout, and directly before external-dns: both use the same
            # annotations.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.service_name = service.metadata["name"]
        self.register_outputs({"service_name": self.service_name})


def _deployment(
    args: EnvoyArgs, account: k8s.core.v1.ServiceAccount
) -> k8s.apps.v1.DeploymentSpecArgs:
    spec, contour = args.spec, args.contour
    return k8s.apps.v1.DeploymentSpecArgs(
        # No replicas: the autoscaler sets them, and each `pulumi up` would reset them.
        selector=k8s.meta.v1.LabelSelectorArgs(match_labels=pods.selector(ENVOY)),
        strategy=k8s.apps.v1.DeploymentStrategyArgs(
            rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(
                max_unavailable=0, max_surge=f"{fleet.MAX_SURGE_PERCENT}%"
            )
        ),
        progress_deadline_seconds=whole_seconds(args.timing.rollout_deadline),
        template=k8s.core.v1.PodTemplateSpecArgs(
            metadata=pods.template_metadata(
                ENVOY, ENVOY_METRICS_PORT, "/stats/prometheus", annotate=args.scrape_annotations
            ),
            spec=envoy_pod(
                spec=spec,
                image=pods.image(
                    "envoy.image", args.image, spec.image, versions.envoy_image(spec.version)
                ),
                contour_image=pods.image(
                    "contour.image",
                    args.contour_image,
                    contour.image,
                    versions.contour_image(contour.version),
                ),
                image_pull_secrets=args.image_pull_secrets,
                timing=args.timing,
                namespace=args.namespace,
                xds_address=args.xds_address,
                account=account.metadata["name"],
            ),
        ),
    )


def _autoscaler(
    args: EnvoyArgs, deployment: k8s.apps.v1.Deployment
) -> k8s.autoscaling.v2.HorizontalPodAutoscalerSpecArgs:
    spec = args.spec
    policy = k8s.autoscaling.v2.HPAScalingPolicyArgs
    rules = k8s.autoscaling.v2.HPAScalingRulesArgs
    return k8s.autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
        scale_target_ref=k8s.autoscaling.v2.CrossVersionObjectReferenceArgs(
            api_version="apps/v1", kind="Deployment", name=deployment.metadata["name"]
        ),
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
        metrics=[
            k8s.autoscaling.v2.MetricSpecArgs(
                type="ContainerResource",
                container_resource=k8s.autoscaling.v2.ContainerResourceMetricSourceArgs(
                    container=ENVOY,
                    name="cpu",
                    target=k8s.autoscaling.v2.MetricTargetArgs(
                        type="Utilization", average_utilization=spec.target_cpu_utilization
                    ),
                ),
            )
        ],
        behavior=k8s.autoscaling.v2.HorizontalPodAutoscalerBehaviorArgs(
            scale_up=rules(
                stabilization_window_seconds=0,
                policies=[policy(type="Percent", value=100, period_seconds=15)],
            ),
            # Load reaches a new Envoy only as connections age, so an early fall of the average says
            # nothing yet. The connections of each Envoy that terminates move to the others.
            scale_down=rules(
                stabilization_window_seconds=whole_seconds(args.timing.scale_down_stabilization),
                policies=[
                    policy(type="Pods", value=1, period_seconds=60),
                    policy(type="Percent", value=10, period_seconds=60),
                ],
                select_policy="Max",
            ),
        ),
    )
