"""The local cluster's keys and certificates."""

from pathlib import Path

import trustme
import yaml

from testbed.cluster.place import Place
from testbed.cluster.supervisor import GATEWAY


def make_certificates(directory: Path, place: Place) -> None:
    """Write every key, certificate and the administrator's kubeconfig (``admin.conf``)."""
    directory.mkdir(mode=0o700, parents=True)
    cluster, front_proxy = trustme.CA(), trustme.CA()
    cluster.cert_pem.write_to_path(directory / "ca.crt")
    front_proxy.cert_pem.write_to_path(directory / "front-proxy-ca.crt")

    def issue(
        file: str, name: str, *hosts: str, by: trustme.CA = cluster, group: str | None = None
    ) -> None:
        # Go refuses a certificate whose extension for host names is present but empty.
        made = by.issue_cert(name, *hosts, common_name=name, organization_name=group)
        made.private_key_pem.write_to_path(directory / f"{file}.key")
        made.cert_chain_pems[0].write_to_path(directory / f"{file}.crt")

    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    names = (*service, f"{service[-1]}.cluster.local", "localhost")
    addresses = (place.kubernetes_address, GATEWAY, "127.0.0.1")
    issue("apiserver", "kube-apiserver", *names, *addresses)
    issue("admin", "admin", group="system:masters")
    issue("node", "node-agent", GATEWAY, group="system:masters")
    issue("front-proxy", "front-proxy-client", by=front_proxy)
    trustme.CA().private_key_pem.write_to_path(directory / "service-accounts.key")
    write_kubeconfig(directory / "admin.conf", directory, f"https://{place.kubernetes_address}")


def write_kubeconfig(path: Path, directory: Path, server: str, token: str | None = None) -> None:
    """A kubeconfig for ``server`` that signs in by ``token``, or as the administrator without
    one."""
    administrator = {
        "client-certificate": str(directory / "admin.crt"),
        "client-key": str(directory / "admin.key"),
    }
    cluster = {"server": server, "certificate-authority": str(directory / "ca.crt")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "local",
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local"}}],
        "clusters": [{"name": "local", "cluster": cluster}],
        "users": [{"name": "local", "user": {"token": token} if token else administrator}],
    }
    path.write_text(yaml.safe_dump(config))
