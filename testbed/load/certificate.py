"""A TLS host's certificate, stored for the cluster and its clients."""

import trustme

from testbed.cluster import deploy
from testbed.cluster.cluster import Cluster


def provide_certificate(cluster: Cluster, secret: str, host: str) -> str:
    """Apply ``secret`` in namespace ``default``, with a certificate for ``host``.

    Returns the file that clients in pods trust.
    """
    authority = trustme.CA()
    issued = authority.issue_cert(host)
    authority.cert_pem.write_to_path(cluster.state / "parts" / f"{secret}.crt")
    deploy.apply(
        cluster,
        [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {"name": secret, "namespace": "default"},
                "stringData": {
                    "tls.crt": issued.cert_chain_pems[0].bytes().decode(),
                    "tls.key": issued.private_key_pem.bytes().decode(),
                },
            }
        ],
    )
    return f"/parts/{secret}.crt"
