"""One pod of the Envoy fleet: bootstrap, Envoy, and the manager that drains it."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as k8s

from .. import pods
from ..contour.certificates import ENVOY_SECRET
from ..conventions import ENVOY, ENVOY_METRICS_PORT, SHUTDOWN_MANAGER_PORT, XDS_PORT
from ..eks.capacity import OFF_SPOT_TERMS
from ..specs import EnvoySpec
from ..timing import DRAIN_POLL, Timing, format_duration, whole_seconds
from . import fleet

_CONFIG = k8s.core.v1.VolumeMountArgs(name="config", mount_path="/config")
_CONFIG_READ_ONLY = k8s.core.v1.VolumeMountArgs(name="config", mount_path="/config", read_only=True)
_CERTS = k8s.core.v1.VolumeMountArgs(name="certs", mount_path="/certs", read_only=True)
_ADMIN = k8s.core.v1.VolumeMountArgs(name="admin", mount_path="/admin")


def envoy_pod(
    *,
    spec: EnvoySpec,
    image: pulumi.Input[str],
    contour_image: pulumi.Input[str],
    image_pull_secrets: Sequence[pulumi.Input[str]],
    timing: Timing,
    namespace: pulumi.Input[str],
    xds_address: pulumi.Input[str],
    account: pulumi.Input[str],
) -> k8s.core.v1.PodSpecArgs:
    """The pod's spec; see EnvoyArgs for the values."""
    empty = k8s.core.v1.EmptyDirVolumeSourceArgs()
    return k8s.core.v1.PodSpecArgs(
        init_containers=[_bootstrap(spec, contour_image, namespace, xds_address)],
        containers=[_shutdown_manager(contour_image, timing), _envoy(spec, image, namespace)],
        image_pull_secrets=pods.pull_secrets(image_pull_secrets),
        termination_grace_period_seconds=whole_seconds(timing.termination_grace_period),
        service_account_name=account,
        automount_service_account_token=False,
        security_context=pods.pod_security(min(spec.http_port, spec.https_port)),
        topology_spread_constraints=pods.spread(ENVOY),
        affinity=k8s.core.v1.AffinityArgs(node_affinity=_off_spot()),
        volumes=[
            k8s.core.v1.VolumeArgs(name="config", empty_dir=empty),
            k8s.core.v1.VolumeArgs(name="admin", empty_dir=empty),
            k8s.core.v1.VolumeArgs(
                name="certs",
                secret=k8s.core.v1.SecretVolumeSourceArgs(secret_name=ENVOY_SECRET),
            ),
        ],
    )


def _bootstrap(
    spec: EnvoySpec,
    image: pulumi.Input[str],
    namespace: pulumi.Input[str],
    xds_address: pulumi.Input[str],
) -> k8s.core.v1.ContainerArgs:
    return k8s.core.v1.ContainerArgs(
        name="bootstrap",
        image=image,
        command=["contour"],
        args=[
            "bootstrap",
            "/config/envoy.json",
            pulumi.Output.concat("--namespace=", namespace),
            pulumi.Output.concat("--xds-address=", xds_address),
            f"--xds-port={XDS_PORT}",
            "--dns-lookup-family=v4",
            # Files that Envoy watches, so that it reloads renewed certificates.
            "--resources-dir=/config/resources",
            "--envoy-cafile=/certs/ca.crt",
            "--envoy-cert-file=/certs/tls.crt",
            "--envoy-key-file=/certs/tls.key",
            f"--overload-max-heap={fleet.max_heap_bytes(spec)}",
            f"--overload-downstream-max-conn={spec.max_connections}",
        ],
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": "50m", "memory": "64Mi"}, limits={"memory": "128Mi"}
        ),
        security_context=pods.CONTAINER_SECURITY,
        volume_mounts=[_CONFIG, _CERTS],
    )


def _shutdown_manager(image: pulumi.Input[str], timing: Timing) -> k8s.core.v1.ContainerArgs:
    # No liveness probe: after a restart of the manager during a drain, Envoy would drain for ever.
    # https://github.com/projectcontour/contour/issues/4851
    return k8s.core.v1.ContainerArgs(
        name="shutdown-manager",
        image=image,
        command=["/bin/contour"],
        args=["envoy", "shutdown-manager", f"--serve-port={SHUTDOWN_MANAGER_PORT}"],
        lifecycle=k8s.core.v1.LifecycleArgs(
            pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                exec_=k8s.core.v1.ExecActionArgs(
                    command=[
                        "/bin/contour",
                        "envoy",
                        "shutdown",
                        f"--drain-delay={format_duration(timing.drain_delay)}",
                        f"--check-interval={format_duration(DRAIN_POLL)}",
                    ]
                )
            )
        ),
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={
                "cpu": fleet.SHUTDOWN_MANAGER_CPU_REQUEST,
                "memory": fleet.SHUTDOWN_MANAGER_MEMORY,
            },
            limits={
                "cpu": fleet.SHUTDOWN_MANAGER_CPU_LIMIT,
                "memory": fleet.SHUTDOWN_MANAGER_MEMORY,
            },
        ),
        security_context=pods.CONTAINER_SECURITY,
        volume_mounts=[_ADMIN],
    )


def _envoy(
    spec: EnvoySpec, image: pulumi.Input[str], namespace: pulumi.Input[str]
) -> k8s.core.v1.ContainerArgs:
    field = k8s.core.v1.ObjectFieldSelectorArgs(field_path="metadata.name")
    size = {"cpu": spec.cpu, "memory": spec.memory}
    return k8s.core.v1.ContainerArgs(
        name=ENVOY,
        image=image,
        command=["envoy"],
        args=[
            "--config-path",
            "/config/envoy.json",
            "--service-cluster",
            namespace,
            "--service-node",
            "$(POD_NAME)",
            # Envoy counts the host's cores, not the container's.
            "--concurrency",
            str(fleet.concurrency(spec)),
            # Hot restart needs a writable /dev/shm, and containers do not use it.
            "--disable-hot-restart",
        ],
        env=[
            k8s.core.v1.EnvVarArgs(
                name="POD_NAME", value_from=k8s.core.v1.EnvVarSourceArgs(field_ref=field)
            )
        ],
        ports=[
            k8s.core.v1.ContainerPortArgs(name="http", container_port=spec.http_port),
            k8s.core.v1.ContainerPortArgs(name="https", container_port=spec.https_port),
            k8s.core.v1.ContainerPortArgs(name="metrics", container_port=ENVOY_METRICS_PORT),
        ],
        # No liveness probe: Envoy answers 503 while it waits for Contour, drains or sheds load, and
        # a restart would not help.
        readiness_probe=k8s.core.v1.ProbeArgs(
            http_get=k8s.core.v1.HTTPGetActionArgs(path="/ready", port="metrics"),
            period_seconds=5,
            timeout_seconds=3,
        ),
        lifecycle=k8s.core.v1.LifecycleArgs(
            pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                http_get=k8s.core.v1.HTTPGetActionArgs(path="/shutdown", port=SHUTDOWN_MANAGER_PORT)
            )
        ),
        resources=k8s.core.v1.ResourceRequirementsArgs(requests=size, limits=size),
        security_context=pods.CONTAINER_SECURITY,
        volume_mounts=[_CONFIG_READ_ONLY, _CERTS, _ADMIN],
    )


def _off_spot() -> k8s.core.v1.NodeAffinityArgs:
    """A spot node gives two minutes' notice, and a drain takes longer."""
    return k8s.core.v1.NodeAffinityArgs(
        required_during_scheduling_ignored_during_execution=k8s.core.v1.NodeSelectorArgs(
            node_selector_terms=[
                k8s.core.v1.NodeSelectorTermArgs(
                    match_expressions=[
                        k8s.core.v1.NodeSelectorRequirementArgs(
                            key=str(term["key"]),
                            operator=str(term["operator"]),
                            values=[*term["values"]],
                        )
                        for term in OFF_SPOT_TERMS
                    ]
                )
            ]
        )
    )
