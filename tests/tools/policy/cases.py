"""What each rule refuses, what it lets pass, and values that decide it but are not known."""

from grpc_platform_tools.graph import UNKNOWN
from tests.tools.policy.stack import DROP, Edit, allow, container, document

DRAIN = ["/bin/contour", "envoy", "shutdown", "--drain-delay=30s"]

BROKEN: list[tuple[str, str, list[Edit]]] = [
    ("grace-covers-drain", "502 s", [("envoy", "POD terminationGracePeriodSeconds", 501)]),
    ("grace-covers-drain", "of 30 s", [("envoy", "POD terminationGracePeriodSeconds", DROP)]),
    (
        "grace-covers-drain",
        "120 s for calls",
        [("api", "ANNOTATIONS projectcontour.io/response-timeout", "120s")],
    ),
    (
        "grace-covers-drain",
        "615 s for connections",
        [
            (
                "contour",
                "data contour.yaml",
                "timeouts: {max-connection-duration: 10m, connection-shutdown-grace-period: 15s}",
            )
        ],
    ),
    (
        "drain-covers-dns",
        "drain delay of 30 s",
        [("envoy", "SHUTDOWN lifecycle preStop exec command", DRAIN)],
    ),
    (
        "drain-covers-dns",
        "drain delay of 0 s",
        [("envoy", "SHUTDOWN lifecycle preStop exec command", DRAIN[:3])],
    ),
    (
        "drain-covers-dns",
        "300 s of TTL",
        [("fleet", "ANNOTATIONS external-dns.example/ttl", DROP)],
    ),
    ("drain-covers-dns", "60 s for external-dns", [("external-dns", "PUBLISHER 3", DROP)]),
    ("envoy-off-spot", "on spot nodes", [("envoy", "POD affinity", DROP)]),
    (
        "envoy-off-spot",
        "spot node group nodes",
        [("nodes", "labels", {})],
    ),
    ("no-replicas-under-autoscaler", "sets replicas", [("envoy", "spec replicas", 2)]),
    (
        "draining-pod-not-killed",
        "container envoy",
        [("envoy", "ENVOY livenessProbe", {"tcpSocket": {"port": 8080}})],
    ),
    (
        "draining-pod-not-killed",
        "container shutdown-manager",
        [("envoy", "SHUTDOWN livenessProbe", {"tcpSocket": {"port": 8090}})],
    ),
    ("cname-after-target", "Deployment edge/external-dns", [("cname", "^depends_on", ())]),
    (
        "cname-after-target",
        "the record cname",
        [
            (
                "soa",
                "^inputs",
                {"type": "CNAME", "name": "b", "records": ["API.shop.example.com."]},
            ),
        ],
    ),
    (
        "owner-ids-unique",
        "has the owner id shop/one of external-dns",
        [
            ("envoy", "ENVOY image", "external-dns:v1"),
            ("envoy", "ENVOY args", ["--txt-owner-id", "shop/one"]),
        ],
    ),
    ("owner-ids-unique", "of its own", [("external-dns", "PUBLISHER 0", DROP)]),
    ("names-kept", "noop", [("external-dns", "PUBLISHER 1", "--registry=noop")]),
    ("names-kept", "sync", [("external-dns", "PUBLISHER 2", DROP)]),
    ("ready-pods-only", "not ready", [("fleet", "spec publishNotReadyAddresses", True)]),
    ("zone-not-force-destroyed", "protect", [("zone", "^options", {})]),
    ("record-overwrites-nothing", "allow_overwrite", [("cname", "allowOverwrite", True)]),
    (
        "published-ports-open",
        "port 8443",
        [("fleet", "spec ports 1", {"name": "https", "port": 8443})],
    ),
    (
        "published-ports-open",
        "port http",
        [("fleet", "spec ports 0 targetPort", "http"), ("callers", "spec ingress", [])],
    ),
    (
        "callers-reach-every-port",
        "nothing opens 8443",
        [("fleet", "spec ports 1", {"name": "https", "port": 8443})],
    ),
    (
        "clients-told-open-port",
        "api.shop.example.com:50051",
        [("shop-prod", "^outputs services api port", 50051)],
    ),
    (
        "cluster-endpoint-closed",
        "0.0.0.0/0",
        [("cluster", "vpcConfig publicAccessCidrs", ["10.0.0.0/8", "0.0.0.0/0"])],
    ),
    ("cluster-endpoint-closed", "default", [("cluster", "vpcConfig", {})]),
    ("cluster-secrets-encrypted", "no KMS key", [("cluster", "encryptionConfig", DROP)]),
    (
        "cluster-secrets-encrypted",
        "does not encrypt secrets",
        [("cluster", "encryptionConfig resources", [])],
    ),
    ("cluster-logs", "audit", [("cluster", "enabledClusterLogTypes", ["authenticator"])]),
    (
        "cluster-access-entries",
        "CONFIG_MAP",
        [("cluster", "accessConfig authenticationMode", DROP)],
    ),
    (
        "cluster-access-entries",
        "administrator",
        [("cluster", "accessConfig bootstrapClusterCreatorAdminPermissions", DROP)],
    ),
    ("cluster-protected", "no protect", [("cluster", "^options", {})]),
    ("cluster-protected", "no deletion_protection", [("cluster", "deletionProtection", False)]),
    ("kubernetes-version-pinned", "Cluster cluster", [("cluster", "version", DROP)]),
    ("kubernetes-version-pinned", "NodeGroup nodes", [("nodes", "version", DROP)]),
    ("node-imdsv2", "tokens", [("template", "metadataOptions httpTokens", "optional")]),
    ("node-imdsv2", "tokens", [("template", "metadataOptions", DROP)]),
    ("node-hop-limit", "is 2", [("template", "metadataOptions httpPutResponseHopLimit", 2)]),
    ("node-launch-template", "no launch", [("nodes", "launchTemplate", DROP)]),
    ("node-disks-encrypted", "/dev/xvda", [("template", "blockDeviceMappings 0 ebs", {})]),
    ("node-disks-encrypted", "no disk", [("template", "blockDeviceMappings", [])]),
    ("node-zones", "one zone", [("b", "availabilityZone", "a")]),
    ("node-zones", "one zone", [("nodes", "subnetIds", ["subnet-elsewhere"])]),
    ("iam-actions-named", "s3:*", [("policy", "policy", document(allow("s3:*")))]),
    ("iam-actions-named", "*", [("policy", "policy", document(allow(["*"])))]),
    (
        "iam-actions-named",
        "NotAction",
        [("policy", "policy", document({"Effect": "Allow", "NotAction": "iam:*"}))],
    ),
    ("iam-resources-named", "s3:Put", [("policy", "policy", document(allow("s3:PutObject", "*")))]),
    (
        "iam-trust-named",
        "anyone may",
        [("role", "assumeRolePolicy", document(allow("x", Principal="*")))],
    ),
    (
        "iam-trust-named",
        "identity provider",
        [("role", "assumeRolePolicy", document(allow("x", Principal={"Federated": "idp"})))],
    ),
    (
        "iam-not-administrator",
        "AdministratorAccess",
        [("attachment", "policyArn", "arn:aws:iam::aws:policy/AdministratorAccess")],
    ),
    ("ingress-from-named-networks", "0.0.0.0/0", [("callers-8080", "cidrIpv4", "0.0.0.0/0")]),
    (
        "ingress-from-named-networks",
        "::/0",
        [("callers-8080", "ingress", [{"ipv6CidrBlocks": ["::/0"]}])],
    ),
    ("key-rotated", "never rotated", [("key", "enableKeyRotation", False)]),
    ("container-resources", "limits of memory", [("envoy", "ENVOY resources limits", DROP)]),
    ("container-resources", "requests of cpu", [("envoy", "ENVOY resources requests cpu", DROP)]),
    (
        "container-resources",
        "container bootstrap",
        [("envoy", "POD initContainers", [container("bootstrap", resources={})])],
    ),
    ("readiness-probe", "container envoy", [("envoy", "ENVOY readinessProbe", DROP)]),
    (
        "container-not-root",
        "container envoy",
        [
            ("envoy", "POD securityContext", {}),
            ("envoy", "SHUTDOWN securityContext runAsNonRoot", True),
        ],
    ),
    ("container-unprivileged", "ALL", [("envoy", "ENVOY securityContext capabilities", DROP)]),
    (
        "container-unprivileged",
        "escalation",
        [("envoy", "ENVOY securityContext allowPrivilegeEscalation", DROP)],
    ),
    (
        "container-unprivileged",
        "is privileged",
        [("envoy", "ENVOY securityContext privileged", True)],
    ),
    ("image-pinned", "envoy:latest", [("envoy", "ENVOY image", "registry:5000/envoy:latest")]),
    ("image-pinned", "registry:5000/envoy", [("envoy", "ENVOY image", "registry:5000/envoy")]),
    ("budget-allows-disruption", "no pod go", [("budget", "spec maxUnavailable", 0)]),
    (
        "budget-allows-disruption",
        "keeps 2 pods",
        [("budget", "spec maxUnavailable", DROP), ("budget", "spec minAvailable", 2)],
    ),
    (
        "workload-has-budget",
        "PodDisruptionBudget",
        [("budget", "spec selector", {"matchLabels": {"app": "x"}})],
    ),
    ("pods-spread", "over zones", [("envoy", "POD topologySpreadConstraints", DROP)]),
    (
        "token-only-where-used",
        "account default",
        [("envoy", "POD automountServiceAccountToken", DROP)],
    ),
    (
        "token-only-where-used",
        "account external-dns",
        [("binding", "subjects 0 namespace", "other")],
    ),
    ("no-plain-secret", "data.password", [("credentials", "data password", "c3dvcmRmaXNo")]),
    ("no-plain-secret", "data.db-password", [("contour", "data db-password", "swordfish")]),
    (
        "no-plain-secret",
        "DB_PASSWORD",
        [("envoy", "ENVOY env", [{"name": "DB_PASSWORD", "value": "swordfish"}])],
    ),
]

PASSES: list[tuple[str, list[Edit]]] = [
    ("no rule is broken", []),
    ("a call without end", [("api", "ANNOTATIONS projectcontour.io/response-timeout", "infinity")]),
    ("no spot nodes of ours", [("nodes", "capacityType", "ON_DEMAND"), ("nodes", "labels", {})]),
    (
        "a node selector",
        [
            ("envoy", "POD affinity", DROP),
            ("envoy", "POD nodeSelector", {"eks.amazonaws.com/capacityType": "ON_DEMAND"}),
        ],
    ),
    ("a port by name", [("callers", "spec ingress", [{"ports": [{"port": "http"}]}])]),
    (
        "a range of ports",
        [("callers", "spec ingress", [{"ports": [{"port": 8000, "endPort": 9000}]}])],
    ),
    ("every port", [("callers", "spec ingress", [{}])]),
    ("a policy of other pods", [("callers", "spec podSelector", {"matchLabels": {"app": "x"}})]),
    (
        "one rule for both ports",
        [
            ("fleet", "spec ports 1", {"port": 8443}),
            ("callers", "spec ingress", [{}]),
            ("callers-8080", "toPort", 8443),
        ],
    ),
    ("a digest", [("envoy", "ENVOY image", "envoy@sha256:00")]),
    ("a private endpoint", [("cluster", "vpcConfig", {"endpointPublicAccess": False})]),
    (
        "a conditioned trust",
        [
            (
                "role",
                "assumeRolePolicy",
                document(
                    allow("x", Principal={"Federated": "idp"}, Condition={"StringEquals": {}})
                ),
            )
        ],
    ),
    ("an asymmetric key", [("key", "^inputs", {"customerMasterKeySpec": "RSA_2048"})]),
    (
        "a secret's place",
        [
            (
                "envoy",
                "ENVOY env",
                [{"name": "DB_PASSWORD_FILE", "value": "/x"}, {"name": "TOKEN", "valueFrom": {}}],
            )
        ],
    ),
    (
        "a denial of all",
        [("policy", "policy", document({"Effect": "Deny", "Action": "*", "Resource": "*"}))],
    ),
]

UNKNOWNS: list[tuple[str, str, Edit]] = [
    (
        "grace-covers-drain",
        "terminationGracePeriodSeconds",
        ("envoy", "POD terminationGracePeriodSeconds", UNKNOWN),
    ),
    ("drain-covers-dns", "metadata.annotations", ("fleet", "ANNOTATIONS", UNKNOWN)),
    ("envoy-off-spot", "affinity", ("envoy", "POD affinity", UNKNOWN)),
    (
        "no-replicas-under-autoscaler",
        "spec.scaleTargetRef",
        ("scaler", "spec scaleTargetRef", UNKNOWN),
    ),
    ("draining-pod-not-killed", "livenessProbe", ("envoy", "ENVOY livenessProbe", UNKNOWN)),
    ("cname-after-target", "records[]", ("cname", "records 0", UNKNOWN)),
    ("owner-ids-unique", "args", ("external-dns", "PUBLISHER", UNKNOWN)),
    ("names-kept", "args[]", ("external-dns", "PUBLISHER 1", UNKNOWN)),
    ("ready-pods-only", "spec.publish", ("fleet", "spec publishNotReadyAddresses", UNKNOWN)),
    ("zone-not-force-destroyed", "forceDestroy", ("zone", "forceDestroy", UNKNOWN)),
    ("published-ports-open", "spec.ingress", ("callers", "spec ingress", UNKNOWN)),
    ("callers-reach-every-port", "fromPort", ("callers-8080", "fromPort", UNKNOWN)),
    ("clients-told-open-port", "port", ("shop-prod", "^outputs services api port", UNKNOWN)),
    (
        "cluster-endpoint-closed",
        "publicAccessCidrs[]",
        ("cluster", "vpcConfig publicAccessCidrs 0", UNKNOWN),
    ),
    ("cluster-secrets-encrypted", "encryptionConfig", ("cluster", "encryptionConfig", UNKNOWN)),
    ("cluster-logs", "enabledClusterLogTypes", ("cluster", "enabledClusterLogTypes", UNKNOWN)),
    (
        "cluster-access-entries",
        "authenticationMode",
        ("cluster", "accessConfig authenticationMode", UNKNOWN),
    ),
    ("cluster-protected", "deletionProtection", ("cluster", "deletionProtection", UNKNOWN)),
    ("kubernetes-version-pinned", "version", ("cluster", "version", UNKNOWN)),
    ("node-imdsv2", "httpTokens", ("template", "metadataOptions httpTokens", UNKNOWN)),
    ("node-hop-limit", "metadataOptions", ("template", "metadataOptions", UNKNOWN)),
    (
        "node-disks-encrypted",
        "ebs.encrypted",
        ("template", "blockDeviceMappings 0 ebs encrypted", UNKNOWN),
    ),
    ("node-zones", "subnetIds[]", ("nodes", "subnetIds 0", UNKNOWN)),
    ("iam-actions-named", "policy", ("policy", "policy", UNKNOWN)),
    ("iam-resources-named", "policy", ("policy", "policy", UNKNOWN)),
    ("iam-trust-named", "assumeRolePolicy", ("role", "assumeRolePolicy", UNKNOWN)),
    ("iam-not-administrator", "policyArn", ("attachment", "policyArn", UNKNOWN)),
    ("ingress-from-named-networks", "cidrIpv4", ("callers-8080", "cidrIpv4", UNKNOWN)),
    ("key-rotated", "enableKeyRotation", ("key", "enableKeyRotation", UNKNOWN)),
    ("container-resources", "resources", ("envoy", "ENVOY resources", UNKNOWN)),
    ("readiness-probe", "readinessProbe", ("envoy", "ENVOY readinessProbe", UNKNOWN)),
    ("container-not-root", "securityContext", ("envoy", "POD securityContext", UNKNOWN)),
    ("container-unprivileged", "securityContext", ("envoy", "ENVOY securityContext", UNKNOWN)),
    ("image-pinned", "image", ("envoy", "ENVOY image", UNKNOWN)),
    ("budget-allows-disruption", "maxUnavailable", ("budget", "spec maxUnavailable", UNKNOWN)),
    ("workload-has-budget", "minReplicas", ("scaler", "spec minReplicas", UNKNOWN)),
    (
        "pods-spread",
        "topologySpreadConstraints",
        ("envoy", "POD topologySpreadConstraints", UNKNOWN),
    ),
    ("token-only-where-used", "automount", ("envoy", "POD automountServiceAccountToken", UNKNOWN)),
]
"""A value that decides a rule, and the path that its verdict names."""
