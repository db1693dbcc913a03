"""The local cluster's keys and certificates."""

import datetime
import ipaddress
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testbed.cluster.place import FIRST, Place
from testbed.cluster.supervisor import GATEWAY

SERVER = f"https://{FIRST.kubernetes_address}"
_LIFETIME = datetime.timedelta(days=365)


class _Authority:
    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = _new_key(directory / f"{name}.key")
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        _write(directory / f"{name}.crt", certificate)

    def issue(
        self, file: str, common_name: str, *, group: str | None = None, hosts: tuple[str, ...] = ()
    ) -> None:
        """Write FILE.key and FILE.crt, for a client and, with ``hosts``, for a server too."""
        key = _new_key(self._directory / f"{file}.key")
        names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if group:
            names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(x509.Name(names), key)
        if hosts:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
            )
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        _write(self._directory / f"{file}.crt", builder.sign(self._key, hashes.SHA256()))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + _LIFETIME)
        )


def make_certificates(directory: Path, place: Place) -> None:
    """Write every key, certificate and the administrator's kubeconfig (``admin.conf``)."""
    directory.mkdir(mode=0o700, parents=True)
    cluster = _Authority(directory, "ca")
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    hosts = (place.kubernetes_address, GATEWAY, "127.0.0.1", "localhost")
    cluster.issue(
        "apiserver", "kube-apiserver", hosts=(*names, f"{names[-1]}.cluster.local", *hosts)
    )
    cluster.issue("admin", "admin", group="system:masters")
    cluster.issue("node", "node-agent", group="system:masters", hosts=(GATEWAY,))
    _Authority(directory, "front-proxy-ca").issue("front-proxy", "front-proxy-client")
    _new_key(directory / "service-accounts.key")
    write_kubeconfig(directory / "admin.conf", directory, f"https://{place.kubernetes_address}")


def write_kubeconfig(path: Path, directory: Path, server: str) -> None:
    """A kubeconfig for the administrator at ``server``."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "local",
                "contexts": [{"name": "local", "context": {"cluster": "local", "user": "admin"}}],
                "clusters": [
                    {
                        "name": "local",
                        "cluster": {
                            "server": server,
                            "certificate-authority": str(directory / "ca.crt"),
                        },
                    }
                ],
                "users": [
                    {
                        "name": "admin",
                        "user": {
                            "client-certificate": str(directory / "admin.crt"),
                            "client-key": str(directory / "admin.key"),
                        },
                    }
                ],
            }
        )
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return key


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
