"""The programs beside the pods: what each is started with, in the order in which they start."""

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from grpc_platform.local.supervisor import (
    BRIDGE,
    DNS_ADDRESS,
    GATEWAY,
    POD_CIDR,
    SERVICE_CIDR,
)

PYTHON = sys.executable
NODE = "local"
ETCD = ("127.0.0.1", 2379)
_ETCD_URL = f"http://{ETCD[0]}:{ETCD[1]}"
ROUTE53 = (GATEWAY, 5000)
AGENT_PORT = 10250
NAME_SERVER_PORT = 5300
"""Where CoreDNS answers what Route53 holds at this moment, uncached."""
# What the emulator takes for an account: any will do.
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


def etcd(state: Path) -> list[str]:
    """Without fsync: nothing here outlives the machine."""
    return [
        f"--data-dir={state}/etcd",
        f"--listen-client-urls={_ETCD_URL}",
        f"--advertise-client-urls={_ETCD_URL}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(state: Path) -> list[str]:
    """RBAC, the aggregation layer for metrics.k8s.io, and an audit log of who used which right."""
    pki = state / "pki"
    (state / "audit.yaml").write_text(yaml.safe_dump(_AUDIT_POLICY))
    return [
        f"--etcd-servers={_ETCD_URL}",
        "--secure-port=443",
        f"--advertise-address={GATEWAY}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
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
        # A Service's address leads nowhere here: the aggregator must dial the endpoint.
        "--enable-aggregator-routing=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        f"--audit-policy-file={state}/audit.yaml",
        f"--audit-log-path={state}/logs/audit.jsonl",
    ]


def kube_controller_manager(state: Path) -> list[str]:
    """The controllers of `CONTROLLERS`, alone and so without an election."""
    return [
        f"--kubeconfig={state}/pki/admin.conf",
        f"--controllers={','.join(CONTROLLERS)}",
        f"--root-ca-file={state}/pki/ca.crt",
        f"--service-account-private-key-file={state}/pki/service-accounts.key",
        "--leader-elect=false",
        # The default is 15 s: shorter, so that a run need not wait for the fleet's first scaling.
        "--horizontal-pod-autoscaler-sync-period=2s",
        "--secure-port=0",
    ]


def agent(state: Path) -> list[str]:
    """The node agent, which also binds pods to itself: there is no scheduler."""
    pki = state / "pki"
    options = {
        "kubeconfig": f"{pki}/admin.conf",
        "state": f"{state}/node",
        "parts": f"{state}/parts",
        "bridge": BRIDGE,
        "pod-cidr": POD_CIDR,
        "dns": DNS_ADDRESS,
        "node": NODE,
        "address": GATEWAY,
        "port": AGENT_PORT,
        "serving-cert": f"{pki}/node.crt",
        "serving-key": f"{pki}/node.key",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return [PYTHON, "-m", "grpc_platform.local.agent", *arguments]


def route53() -> list[str]:
    """The emulated Route53; it forgets everything when it ends."""
    code = "from moto.server import main; main()"
    return [PYTHON, "-c", code, "--host", GATEWAY, "--port", str(ROUTE53[1])]


def coredns(state: Path, zones: Mapping[str, str]) -> list[str]:
    """The pods' resolver and, at a port of its own, the name server it asks for ``zones`` (name to
    Route53 id): only the resolver caches."""
    kubeconfig = f'kubeconfig "{state}/pki/admin.conf"'
    cluster = f"kubernetes cluster.local {{\n    {kubeconfig}\n    ttl 5\n  }}"
    blocks = [_server_block("cluster.local:53", f"ready {DNS_ADDRESS}:8181", cluster)]
    for name, zone_id in zones.items():
        # It asks Route53 for the whole zone at each refresh: in place of propagation.
        route53 = f"route53 {name}.:{zone_id} {{\n    refresh 1s\n  }}"
        server = f"{DNS_ADDRESS}:{NAME_SERVER_PORT}"
        blocks.append(_server_block(f"{name}:{NAME_SERVER_PORT}", route53))
        blocks.append(_server_block(f"{name}:53", "cache", f"forward . {server}"))
    corefile = state / "Corefile"
    corefile.write_text("\n".join(blocks))
    return ["-conf", str(corefile)]


def _server_block(zone: str, *plugins: str) -> str:
    return "\n  ".join([f"{zone} {{", "errors", "loadbalance", *plugins]) + "\n}\n"


# Who asked for what, for the components' own accounts: enough to tell which rights were used.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
