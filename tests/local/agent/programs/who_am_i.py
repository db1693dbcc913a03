"""Asks the API server for the identity of the pod's token; prints account, pod and namespace."""

import json
import os
import ssl
from pathlib import Path
from urllib.request import Request, urlopen

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"

if __name__ == "__main__":
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    request = Request(
        f"https://{SERVER}/apis/authentication.k8s.io/v1/selfsubjectreviews",
        json.dumps(review).encode(),
        {
            "Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}",
            "Content-Type": "application/json",
        },
    )
    trusted = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
    with urlopen(request, context=trusted) as answer:
        user = json.load(answer)["status"]["userInfo"]
    (pod,) = user["extra"]["authentication.kubernetes.io/pod-name"]
    print(user["username"], pod, (ACCOUNT / "namespace").read_text())
