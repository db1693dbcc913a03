"""The Envoy fleet: what clients dial, pod by pod."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s

from .. import pods, versions
from ..conventions import ENVOY, EXTERNAL_DNS_ANNOTATION_PREFIX
from ..options import for_children_too
from ..rules import refuse
from ..rules.serving import envoy_is_possible
from ..specs import ContourSpec, EnvoySpec
from ..timing import DnsTiming, Timing, format_duration, timing_of, whole_seconds
from . import fleet
from .pod import envoy_pod


@dataclass(frozen=True, kw_only=True)
class EnvoyArgs:
    """Where the fleet runs, whom it asks for configuration, under which name it is found."""

    namespace: pulumi.Input[str]
    """Contour's: the certificate to ask it with is a Secret there."""
    xds_address: pulumi.Input[str]
    """Contour's host. As an output of Contour it lets the fleet start after Contour serves: an
    Envoy without an answer waits 15 s before it listens at all."""
    dns_name: pulumi.Input[str]
    """The name external-dns keeps at the addresses of the ready pods."""
    dns_timing: DnsTiming = DnsTiming()
    """The times of that name: of its zone."""
    spec: EnvoySpec = field(default_factory=EnvoySpec)
    contour: ContourSpec = field(default_factory=ContourSpec)
    """Its image writes Envoy's bootstrap and drains Envoy; its timeouts are those to drain by."""
    image: pulumi.Input[str] | None = None
    """In place of `spec.image`, where the same program makes the repository."""
    contour_image: pulumi.Input[str] | None = None
    """The same for `contour.image`."""
    image_pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Secrets in `namespace` that the images are pulled with, by name."""

    @property
    def timing(self) -> Timing:
        """The times that follow from these values."""
        return timing_of(self.dns_timing, self.contour, self.spec)


class Envoy(pulumi.ComponentResource):
    """Deployment, autoscaler, disruption budget, headless Service and account of the fleet.

    The Deployment says no number of replicas: it begins with one, and the autoscaler brings it to
    `spec.min_replicas` within seconds. A pod told to end serves on for `timing.drain_delay`, has
    its clients leave as they call, and ends with its last connection, at the latest after
    `timing.termination_grace_period`. Who may reach the pods is for Callers to say; the Deployment
    waits for what `opts.depends_on` holds.

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
        # Of its own, so that no right granted to the default account reaches Envoy.
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
            # After a rollout, and directly before external-dns: the two agree on the annotations.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.service_name = service.metadata["name"]
        self.register_outputs({"service_name": self.service_name})


def _deployment(
    args: EnvoyArgs, account: k8s.core.v1.ServiceAccount
) -> k8s.apps.v1.DeploymentSpecArgs:
    spec, contour = args.spec, args.contour
    return k8s.apps.v1.DeploymentSpecArgs(
        # No replicas: they are the autoscaler's, and saying them would take them back on each up.
        selector=k8s.meta.v1.LabelSelectorArgs(match_labels=pods.selector(ENVOY)),
        strategy=k8s.apps.v1.DeploymentStrategyArgs(
            rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(
                max_unavailable=0, max_surge=f"{fleet.MAX_SURGE_PERCENT}%"
            )
        ),
        progress_deadline_seconds=whole_seconds(args.timing.rollout_deadline),
        template=k8s.core.v1.PodTemplateSpecArgs(
            metadata=k8s.meta.v1.ObjectMetaArgs(labels=pods.labels(ENVOY)),
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
            # Load reaches a new Envoy only as connections age, so an early fall of the average
            # says nothing yet; and each Envoy that goes hands its connections to the rest.
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
