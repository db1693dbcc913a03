"""Contour, the control plane that configures every Envoy from the cluster's Ingresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s

from .. import pods, versions
from ..conventions import CONTOUR, CONTOUR_METRICS_PORT, CONTOUR_NAMESPACE, ENVOY, XDS_PORT
from ..monitoring.scrapers import Scraper, scraped
from ..names import named_after
from ..network_policy import admit_only, tcp
from ..options import for_children_too
from ..specs import ContourSpec, EnvoySpec
from .certificates import CONTOUR_SECRET, contour_certificates
from .config import contour_yaml
from .crds import contour_crds
from .rbac import contour_rbac

_INGRESS_CLASS = "contour"


@dataclass(frozen=True, kw_only=True)
class ContourArgs:
    """Contour's settings."""

    dns_name: pulumi.Input[str]
    """The DNS name with Envoy's addresses: written into the status of each Ingress."""
    spec: ContourSpec = field(default_factory=ContourSpec)
    envoy: EnvoySpec = field(default_factory=EnvoySpec)
    """Gives the ports on which Contour makes each Envoy listen."""
    image: pulumi.Input[str] | None = None
    """Replaces `spec.image` if the same program makes the repository."""
    image_pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Secrets in Contour's namespace that its images are pulled with, by name."""
    scrapers: Mapping[str, Scraper] = field(default_factory=dict[str, Scraper])
    """The sources that may read metrics, by name. When empty, every pod of the cluster may."""
    scrape_annotations: bool = True
    """Whether the pods have `prometheus.io/` annotations; `Monitoring`'s PodMonitors replace
    them."""

    def pulled(self) -> pulumi.Input[str]:
        """The image to run."""
        spec = self.spec
        return pods.image(
            "contour.image", self.image, spec.image, versions.contour_image(spec.version)
        )


class Contour(pulumi.ComponentResource):
    """Creates Contour's namespace, CRDs, certificates, RBAC, contour.yaml, Deployment, Service,
    IngressClass, disruption budget and network policy. It serves Ingresses of class `contour`.

    The Deployment comes after the certificates, the CRDs and its permissions. It is done when two
    Contours (or `spec.replicas`) have read the whole cluster. Contour reads contour.yaml at start
    only, so a change creates a new ConfigMap and rolls out new Contour pods. Envoy's pods stay.

    Raises ValueError for an image without a tag or digest.
    """

    namespace: pulumi.Output[str]
    """The namespace of Contour, in which Envoy must run too: its client certificate is a Secret
    there."""
    ingress_class_name: pulumi.Output[str]
    """The class of the Ingresses that Contour serves."""
    xds_address: pulumi.Output[str]
    """The host from which Envoy gets its configuration, known once Contour serves it."""

    def __init__(
        self, name: str, args: ContourArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        image = args.pulled()
        super().__init__("grpc-platform:index:Contour", name, {}, for_children_too(opts))
        child = pulumi.ResourceOptions(parent=self)
        namespace = k8s.core.v1.Namespace(
            name,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=CONTOUR_NAMESPACE,
                labels={**pods.labels(CONTOUR), "pod-security.kubernetes.io/enforce": "restricted"},
            ),
            opts=child,
        )
        self.namespace = namespace.metadata["name"]
        crds = contour_crds(name, child) if args.spec.crds == "minimal" else []
        job = contour_certificates(
            f"{name}-certgen", self.namespace, image, args.image_pull_secrets, child
        )
        account, bindings = contour_rbac(name, self.namespace, args.spec, child)
        data = {"contour.yaml": contour_yaml(args.spec)}
        config_map = k8s.core.v1.ConfigMap(
            f"{name}-config",
            metadata=pods.metadata(named_after(CONTOUR, data), self.namespace, CONTOUR),
            data=data,
            opts=child,
        )
        deployment = k8s.apps.v1.Deployment(
            f"{name}-deployment",
            metadata=pods.metadata(CONTOUR, self.namespace, CONTOUR),
            spec=_deployment(args, image, account, config_map),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[job, *bindings, *crds]),
        )
        service = k8s.core.v1.Service(
            f"{name}-service",
            metadata=pods.metadata(CONTOUR, self.namespace, CONTOUR),
            # Headless: each Envoy knows every Contour, and reconnects to another when one
            # terminates.
            spec=k8s.core.v1.ServiceSpecArgs(
                cluster_ip="None",
                selector=pods.selector(CONTOUR),
                ports=[k8s.core.v1.ServicePortArgs(name="xds", port=XDS_PORT)],
            ),
            opts=child,
        )
        pods.disruption_budget(f"{name}-disruption-budget", CONTOUR, self.namespace, child)
        _network_policy(f"{name}-network-policy", self.namespace, args.scrapers, child)
        ingress_class = k8s.networking.v1.IngressClass(
            f"{name}-ingress-class",
            metadata=pods.metadata(_INGRESS_CLASS, None, CONTOUR),
            spec=k8s.networking.v1.IngressClassSpecArgs(
                controller="projectcontour.io/ingress-controller"
            ),
            opts=child,
        )
        self.ingress_class_name = ingress_class.metadata["name"]
        self.xds_address = pulumi.Output.all(service.metadata["name"], deployment.id).apply(
            lambda known: known[0]
        )
        self.register_outputs(
            {
                "namespace": self.namespace,
                "ingress_class_name": self.ingress_class_name,
                "xds_address": self.xds_address,
            }
        )


def _flags(args: ContourArgs) -> list[pulumi.Input[str]]:
    """The arguments of `contour serve`."""
    return [
        "serve",
        "--incluster",
        "--config-path=/config/contour.yaml",
        "--xds-address=0.0.0.0",
        f"--xds-port={XDS_PORT}",
        "--contour-cafile=/certs/ca.crt",
        "--contour-cert-file=/certs/tls.crt",
        "--contour-key-file=/certs/tls.key",
        f"--ingress-class-name={_INGRESS_CLASS}",
        # A headless Service has no address of its own to report.
        pulumi.Output.concat("--ingress-status-address=", args.dns_name),
        # Clients dial pod addresses, so these are the ports they dial.
        f"--envoy-service-http-port={args.envoy.http_port}",
        f"--envoy-service-https-port={args.envoy.https_port}",
        "--disable-feature=extensionservices",
    ]


def _deployment(
    args: ContourArgs,
    image: pulumi.Input[str],
    account: k8s.core.v1.ServiceAccount,
    config_map: k8s.core.v1.ConfigMap,
) -> k8s.apps.v1.DeploymentSpecArgs:
    return k8s.apps.v1.DeploymentSpecArgs(
        replicas=args.spec.replicas,
        selector=k8s.meta.v1.LabelSelectorArgs(match_labels=pods.selector(CONTOUR)),
        strategy=k8s.apps.v1.DeploymentStrategyArgs(
            rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(max_unavailable=0, max_surge=1)
        ),
        template=k8s.core.v1.PodTemplateSpecArgs(
            metadata=pods.template_metadata(
                CONTOUR, CONTOUR_METRICS_PORT, "/metrics", annotate=args.scrape_annotations
            ),
            spec=k8s.core.v1.PodSpecArgs(
                containers=[_container(args, image)],
                image_pull_secrets=pods.pull_secrets(args.image_pull_secrets),
                service_account_name=account.metadata["name"],
                security_context=pods.pod_security(),
                topology_spread_constraints=pods.spread(CONTOUR),
                volumes=[
                    k8s.core.v1.VolumeArgs(
                        name="config",
                        config_map=k8s.core.v1.ConfigMapVolumeSourceArgs(
                            name=config_map.metadata["name"]
                        ),
                    ),
                    k8s.core.v1.VolumeArgs(
                        name="certs",
                        secret=k8s.core.v1.SecretVolumeSourceArgs(secret_name=CONTOUR_SECRET),
                    ),
                ],
            ),
        ),
    )


def _container(args: ContourArgs, image: pulumi.Input[str]) -> k8s.core.v1.ContainerArgs:
    spec = args.spec
    return k8s.core.v1.ContainerArgs(
        name=CONTOUR,
        image=image,
        command=["contour"],
        args=_flags(args),
        ports=[
            k8s.core.v1.ContainerPortArgs(name="xds", container_port=XDS_PORT),
            k8s.core.v1.ContainerPortArgs(name="metrics", container_port=CONTOUR_METRICS_PORT),
        ],
        # Contour listens there once it has read the whole cluster.
        readiness_probe=k8s.core.v1.ProbeArgs(
            tcp_socket=k8s.core.v1.TCPSocketActionArgs(port="xds"), period_seconds=5
        ),
        # This probe asks the API server too. It tolerates failures, because new Envoys need these
        # Contours most while the API server is down.
        liveness_probe=k8s.core.v1.ProbeArgs(
            http_get=k8s.core.v1.HTTPGetActionArgs(path="/healthz", port="metrics"),
            timeout_seconds=5,
            failure_threshold=12,
        ),
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": spec.cpu, "memory": spec.memory}, limits={"memory": spec.memory}
        ),
        security_context=pods.CONTAINER_SECURITY,
        volume_mounts=[
            k8s.core.v1.VolumeMountArgs(name="config", mount_path="/config", read_only=True),
            k8s.core.v1.VolumeMountArgs(name="certs", mount_path="/certs", read_only=True),
        ],
    )


def _network_policy(
    name: str,
    namespace: pulumi.Input[str],
    scrapers: Mapping[str, Scraper],
    child: pulumi.ResourceOptions,
) -> None:
    """Admit only Envoy to the configuration, which contains TLS services' keys; the scrapers to
    metrics."""
    envoy = k8s.networking.v1.NetworkPolicyPeerArgs(
        pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=pods.selector(ENVOY))
    )
    served = k8s.networking.v1.NetworkPolicyIngressRuleArgs(from_=[envoy], ports=[tcp(XDS_PORT)])
    admit_only(
        name,
        pods.metadata(CONTOUR, namespace, CONTOUR),
        CONTOUR,
        [served, scraped(scrapers, CONTOUR_METRICS_PORT)],
        child,
    )
