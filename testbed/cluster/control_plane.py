"""The programs beside the pods: the command line of each, in the order of their start."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import ascii_lowercase

import yaml

from testbed.cluster.place import FIRST, POD_CIDR, Place
from testbed.cluster.supervisor import BRIDGE, GATEWAY

PYTHON = sys.executable
NODE = "local"
_PODS = 2**11  # addresses of an agent's pods
ROUTE53 = (GATEWAY, 5000)
NAME_SERVER_PORT = 5300
"""The name server's address: it answers what Route53 shows now, uncached."""
# The emulator takes any credentials.
AWS_ENVIRONMENT = {
    "AWS_ENDPOINT_URL": f"http://{GATEWAY}:{ROUTE53[1]}",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",  # what botocore reads
    "AWS_EC2_METADATA_DISABLED": "true",
}

# The controllers that the platform's objects need; each one left out saves memory and noise.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "ttl-after-finished-controller",
)


def etcd(state: Path, place: Place) -> list[str]:
    """etcd without fsync: nothing here needs to survive a crash of the machine."""
    host, port = place.etcd
    return [
        f"--data-dir={state}/etcd",
        f"--listen-client-urls=http://{host}:{port}",
        f"--advertise-client-urls=http://{host}:{port}",
        f"--listen-peer-urls=http://{host}:{port + 1}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(state: Path, place: Place) -> list[str]:
    """The API server, with RBAC, the aggregation layer for metrics.k8s.io, and an audit log of the
    rights that each account used."""
    pki = state / "pki"
    (state / "audit.yaml").write_text(yaml.safe_dump(_AUDIT_POLICY))
    return [
        "--etcd-servers=http://{}:{}".format(*place.etcd),
        "--secure-port=443",
        f"--bind-address={place.kubernetes_address}",
        f"--advertise-address={place.kubernetes_address}",
        f"--service-cluster-ip-range={place.service_cidr}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-accounts.key",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        # ClusterIPs do not work here: the aggregator must dial the endpoint.
        "--enable-aggregator-routing=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        f"--audit-policy-file={state}/audit.yaml",
        f"--audit-log-path={state}/logs/audit.jsonl",
    ]


def kube_controller_manager(state: Path, controllers: Iterable[str] = CONTROLLERS) -> list[str]:
    """The controllers; a single replica, so without leader election."""
    return [
        f"--kubeconfig={state}/pki/admin.conf",
        f"--controllers={','.join(controllers)}",
        f"--root-ca-file={state}/pki/ca.crt",
        f"--service-account-private-key-file={state}/pki/service-accounts.key",
        "--leader-elect=false",
        # Shorter than the default of 15 s, so that a run waits less for the fleet's first scaling.
        "--horizontal-pod-autoscaler-sync-period=2s",
        "--secure-port=0",
    ]


def kube_scheduler(state: Path) -> list[str]:
    """The scheduler, for a cluster whose agents do not bind pods themselves."""
    return [
        f"--authentication-kubeconfig={state}/pki/admin.conf",
        f"--authorization-kubeconfig={state}/pki/admin.conf",
        f"--kubeconfig={state}/pki/admin.conf",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def nodes(zones: int) -> dict[str, str]:
    """A node in each zone: zones by node."""
    names = [NODE, *(f"{NODE}-{number}" for number in range(2, zones + 1))]
    return {name: f"local-{letter}" for name, letter in zip(names, ascii_lowercase, strict=False)}


def agent(
    state: Path,
    place: Place,
    nodes: Mapping[str, str],
    *,
    number: int = 0,
    scheduled: bool = False,
) -> list[str]:
    """The agent of these nodes (zones by node). Unless ``scheduled``, it also binds pods to them.
    ``number`` tells the agents of a cluster apart."""
    pki = state / "pki"
    options = {
        "kubeconfig": f"{pki}/admin.conf",
        "state": f"{state}/node" + (f"-{number}" if number else ""),
        "parts": f"{state}/parts",
        "bridge": BRIDGE,
        "pod-cidr": POD_CIDR,
        "first-pod": place.first_pod + _PODS * number,
        "dns": place.dns_address,
        "nodes": ",".join(f"{name}={zone}" for name, zone in nodes.items()),
        "address": GATEWAY,
        "port": place.agent_port + 10 * number,
        "serving-cert": f"{pki}/node.crt",
        "serving-key": f"{pki}/node.key",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    if scheduled:
        arguments.append("--scheduled")
    return [PYTHON, "-m", "testbed.node_agent", *arguments]


def route53() -> list[str]:
    """The emulated Route53; it forgets everything when it ends."""
    return [PYTHON, "-m", "moto.server", "--host", GATEWAY, "--port", str(ROUTE53[1])]


def route53_recording(state: Path) -> dict[str, str]:
    """The environment that makes the emulator keep each request, so that tests can tell which calls
    were made: https://docs.getmoto.org/en/latest/docs/configuration/recorder/index.html"""
    log = state / "logs" / "route53.jsonl"
    return {"MOTO_ENABLE_RECORDING": "true", "MOTO_RECORDER_FILEPATH": str(log)}


def name_server(propagation: float) -> list[str]:
    """Route53's own name server, for all its zones. A change shows after ``propagation``
    seconds."""
    return [PYTHON, "-m", "testbed.cluster.name_server", f"--propagation={propagation}"]


def coredns(state: Path, place: Place, zones: Iterable[str]) -> list[str]:
    """The pods' resolver. It knows the cluster's names, asks Route53's name server for names in
    ``zones``, and caches answers."""
    kubeconfig = f'kubeconfig "{state}/pki/admin.conf"'
    cluster = f"kubernetes cluster.local {{\n    {kubeconfig}\n    ttl 5\n  }}"
    ready = f"ready {place.dns_address}:8181"
    blocks = [_server_block("cluster.local:53", place, ready, cluster)]
    for zone in zones:
        upstream = f"forward . {FIRST.dns_address}:{NAME_SERVER_PORT}"
        blocks.append(_server_block(f"{zone}:53", place, _CACHE, upstream))
    corefile = state / "Corefile"
    corefile.write_text("\n".join(blocks))
    return ["-conf", str(corefile)]


def _server_block(zone: str, place: Place, *plugins: str) -> str:
    lines = [f"{zone} {{", f"bind {place.dns_address}", "errors", "loadbalance", *plugins]
    return "\n  ".join(lines) + "\n}\n"


# Cache each record for its TTL: by default answers stay for at least 5 s. The other numbers are the
# plugin's defaults for entries and for the longest TTL (https://coredns.io/plugins/cache).
_CACHE = "cache {\n    success 9984 3600 0\n    denial 9984 1800 0\n  }"

# Log the requests of the components' own accounts: enough to show which rights they used.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
