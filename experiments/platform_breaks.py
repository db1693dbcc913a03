"""What is broken on the platform for the alerts of `alerts`."""

import contextlib
import json
from collections.abc import Generator

from experiments import steps
from experiments.breaks import Break, Labels
from experiments.lab import PLATFORM, ZONE, Lab
from experiments.service_breaks import serve_tight
from grpc_platform.conventions import (
    CONTOUR_NAMESPACE,
    EXTERNAL_DNS_NAMESPACE,
)
from testbed.cluster import deploy, readiness
from testbed.cluster.run import ROUTE53
from testbed.cluster.supervisor import GATEWAY
from testbed.disruptions import losses, operations, pods
from testbed.monitoring.watch import Monitoring

# --- Contour and certificates --------------------------------------------------------------------

_CUT_OFF = "envoy_cluster_manager_cds_control_plane_connected_state == 0"


@contextlib.contextmanager
def _without_contour(lab: Lab, monitoring: Monitoring) -> Generator[Labels]:
    manifest = lab.manifest("Deployment", "contour")

    def scale(replicas: int) -> None:
        lab.cluster.kubectl("scale", "deployment/contour", *PLATFORM, f"--replicas={replicas}")

    scale(0)
    # Also those that terminate: they still serve Envoy.
    selector = ("-l", "app.kubernetes.io/name=contour")
    lab.cluster.wait(
        "Contour to be gone",
        lambda: not lab.cluster.get("pods", *PLATFORM, *selector)["items"],
    )
    # Envoy's first attempts last longer than the pauses between them; nothing of it is shortened.
    lab.cluster.wait(
        "an Envoy to be seen without Contour", lambda: bool(monitoring.query(_CUT_OFF))
    )
    try:
        yield {"namespace": CONTOUR_NAMESPACE}
    finally:
        scale(manifest["spec"]["replicas"])
        readiness.wait_until_ready(lab.cluster, manifest)


# RE2 may use 8 MiB for an expression, and Go's own library has no such limit:
# https://github.com/google/re2/blob/main/re2/re2.h (max_mem)
_TOO_LARGE = "/" + 3 * r"[\pL]{1000}"
"""A path that Contour takes for an expression, since it has a bracket."""


@contextlib.contextmanager
def _rejected_route(lab: Lab, _: Monitoring) -> Generator[Labels]:
    ingress = lab.manifest("Ingress", "load")
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    rule["http"]["paths"] = [
        path,
        {**path, "path": _TOO_LARGE, "pathType": "ImplementationSpecific"},
    ]
    deploy.apply(lab.cluster, [ingress])
    try:
        yield {"kind": "routes"}
    finally:
        deploy.apply(lab.cluster, [lab.manifest("Ingress", "load")])


@contextlib.contextmanager
def _short_certificates(lab: Lab, _: Monitoring) -> Generator[Labels]:
    _run_certgen(lab, "short-lived", "--overwrite", "--certificate-lifetime=10")
    lab.cluster.wait("the Job to be done", lambda: _succeeded(lab, "short-lived"))
    try:
        yield {"namespace": CONTOUR_NAMESPACE}
    finally:
        lab.cluster.kubectl("delete", "job", *PLATFORM, "short-lived")
        operations.renew_certificates(lab.cluster)


@contextlib.contextmanager
def _failed_renewal(lab: Lab, _: Monitoring) -> Generator[Labels]:
    job = "contour-certgen-renewal-broken"  # named as the CronJob names its Jobs
    _run_certgen(lab, job, "--no-such-flag")
    lab.cluster.wait("the Job to fail", lambda: _failed(lab, job))
    try:
        yield {"namespace": CONTOUR_NAMESPACE}
    finally:
        lab.cluster.kubectl("delete", "job", *PLATFORM, job)


def _run_certgen(lab: Lab, name: str, *arguments: str) -> None:
    spec = lab.manifest("CronJob", "contour-certgen-renewal")["spec"]["jobTemplate"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    container["args"] = [one for one in container["args"] if one != "--overwrite"]
    container["args"] += arguments
    metadata = {"name": name, "namespace": CONTOUR_NAMESPACE}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {**spec, "backoffLimit": 0},
    }
    deploy.apply(lab.cluster, [job])


def _succeeded(lab: Lab, job: str) -> bool:
    return readiness.has_condition(lab.cluster.get("job", *PLATFORM, job), "Complete")


def _failed(lab: Lab, job: str) -> bool:
    return readiness.has_condition(lab.cluster.get("job", *PLATFORM, job), "Failed")


@contextlib.contextmanager
def _hung_contour(lab: Lab, _: Monitoring) -> Generator[Labels]:
    """Every Contour misses an EndpointSlice: it hangs while a server is added."""
    contours = [pod["metadata"]["name"] for pod in pods.of_app(lab.cluster, "contour")]
    processes = [pods.process(lab.cluster, CONTOUR_NAMESPACE, pod, "contour") for pod in contours]
    with losses.frozen(lab.cluster, processes):
        yield serve_tight(lab, 2)
    serve_tight(lab, 1)
    lab.wait_until_settled()


# --- DNS -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _route53_refuses(lab: Lab, monitoring: Monitoring) -> Generator[Labels]:
    """Route53's name leads to an address that refuses every connection."""
    name, namespace = ROUTE53

    def serve_at(address: str) -> None:
        endpoints = [{"addresses": [address], "conditions": {"ready": True}}]
        patch = json.dumps({"endpoints": endpoints})
        slices = ("endpointslice", name, "-n", namespace)
        lab.cluster.kubectl("patch", *slices, "--type=merge", f"-p={patch}")

    serve_at(lab.cluster.place.kubernetes_address)
    try:
        operations.resize_fleet(lab.cluster, steps.ENVOYS - 1)
        # external-dns looks once a minute or when the fleet changes, which is not shortened.
        lab.cluster.wait(
            "external-dns to fail",
            lambda: bool(monitoring.query("external_dns_controller_consecutive_soft_errors > 0")),
            timeout=120,
        )
        yield {"namespace": EXTERNAL_DNS_NAMESPACE}
    finally:
        serve_at(GATEWAY)
        _whole_again(lab)


@contextlib.contextmanager
def _foreign_record(lab: Lab, _: Monitoring) -> Generator[Labels]:
    """Another external-dns owns the record. Ours believes that all is well."""
    (container,) = lab.manifest("Deployment", "external-dns")["spec"]["template"]["spec"][
        "containers"
    ]
    flags = dict(flag[2:].split("=", 1) for flag in container["args"] if "=" in flag)
    name = flags["domain-filter"]

    def owned_by(owner: str) -> None:
        said = f"heritage=external-dns,external-dns/owner={owner}"
        text = f'"{said},external-dns/resource=service/{CONTOUR_NAMESPACE}/envoy"'
        record = {
            "Name": f"_external-dns-a.{name}",
            "Type": "TXT",
            "TTL": 300,
            "ResourceRecords": [{"Value": text}],
        }
        deploy.write_records(lab.cluster, [ZONE], [record])

    owned_by("another")
    try:
        operations.resize_fleet(lab.cluster, steps.ENVOYS - 1)
        yield {}
    finally:
        owned_by(flags["txt-owner-id"])
        _whole_again(lab)


def _whole_again(lab: Lab) -> None:
    operations.resize_fleet(lab.cluster, steps.ENVOYS)
    lab.wait_until_settled()


# --- the monitoring itself -----------------------------------------------------------------------


@contextlib.contextmanager
def _without_kube_state_metrics(_: Lab, monitoring: Monitoring) -> Generator[Labels]:
    with monitoring.without_kube_state_metrics():
        yield {"source": "kube-state-metrics"}


BREAKS = (
    Break(
        alert="EnvoyConfigurationRejected",
        what="an Ingress with a path whose expression is too large for Envoy",
        act=_rejected_route,
    ),
    Break(
        alert="EnvoyWithoutContour",
        what="Contour scaled to zero",
        act=_without_contour,
    ),
    Break(
        alert="EnvoyCertificateExpires",
        what="certificates that are valid for ten days",
        act=_short_certificates,
    ),
    Break(
        alert="ContourCertificateRenewalFailed",
        what="a renewal whose Job fails",
        act=_failed_renewal,
    ),
    Break(
        alert="EnvoyDNSDiffersFromReadyPods",
        what="an Envoy removed, while the name's record belongs to another external-dns",
        act=_foreign_record,
    ),
    Break(
        alert="ExternalDNSSyncFails",
        what="Route53 refuses every connection",
        act=_route53_refuses,
        follows={"EnvoyDNSDiffersFromReadyPods": "an Envoy was removed, and DNS still lists it"},
    ),
    Break(
        alert="EnvoyEndpointsDiffer",
        what="a server added while every Contour hangs (SIGSTOP)",
        act=_hung_contour,
    ),
    Break(
        alert="GrpcPlatformMetricsMissing",
        what="kube-state-metrics ended",
        act=_without_kube_state_metrics,
    ),
)
