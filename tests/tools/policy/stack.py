"""A stack that breaks no rule, and ways to break it."""

import copy
import json
from typing import Any

from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping

CLUSTER = "urn:pulumi:prod::shop::pulumi:providers:kubernetes::kubernetes"
DROP = object()
"""As a value: without the key, or the element."""

Edit = tuple[str, str, Any]
"""A resource's name, a path in its inputs (or from ^ in its fields), and the value there."""

_PLACES = {
    "POD": "spec template spec",
    "SHUTDOWN": "spec template spec containers 0",
    "ENVOY": "spec template spec containers 1",
    "PUBLISHER": "spec template spec containers 0 args",
    "ANNOTATIONS": "metadata annotations",
}


def _path(text: str) -> list[Any]:
    """`POD containers 0 image` as keys and indices."""
    for short, long in _PLACES.items():
        text = text.replace(short, long)
    words = text[1:] if text.startswith("^") else f"inputs {text}"
    return [int(word) if word.isdigit() else word for word in words.split()]


def aws(token: str, name: str, inputs: dict[str, Any], **more: Any) -> Resource:
    urn = f"urn:pulumi:prod::shop::{token}::{name}"
    return Resource(urn=urn, type=token, name=name, inputs=inputs, **more)


def kubernetes(
    api: str, kind: str, name: str, inputs: dict[str, Any], namespace: str = "edge", **more: Any
) -> Resource:
    group = api if "/" in api else f"core/{api}"
    metadata = {"name": name, "namespace": namespace, **inputs.pop("metadata", {})}
    body = {"apiVersion": api, "kind": kind, "metadata": metadata, **inputs}
    return Resource(
        urn=f"urn:pulumi:prod::shop::kubernetes:{group}:{kind}::{name}",
        type=f"kubernetes:{group}:{kind}",
        name=name,
        provider=CLUSTER,
        inputs=body,
        **more,
    )


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Any, resource: Any = "arn:aws:s3:::box", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def container(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"registry.example.com/{name}:v1",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        **more,
    }


def pods(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True},
            **spec,
        },
    }


def sound() -> dict[str, Resource]:
    """By name, the resources of a stack that breaks no rule."""
    drain = ["/bin/contour", "envoy", "shutdown", "--drain-delay=2m7s"]
    off_spot = {"key": "karpenter.sh/capacity-type", "operator": "NotIn", "values": ["spot"]}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    fleet = pods(
        "envoy",
        {
            "terminationGracePeriodSeconds": 537,
            "affinity": {
                "nodeAffinity": {
                    required: {"nodeSelectorTerms": [{"matchExpressions": [off_spot]}]}
                }
            },
            "topologySpreadConstraints": [{"topologyKey": "topology.kubernetes.io/zone"}],
            "containers": [
                container("shutdown-manager", lifecycle={"preStop": {"exec": {"command": drain}}}),
                container(
                    "envoy",
                    ports=[{"name": "http", "containerPort": 8080}],
                    readinessProbe={"httpGet": {"path": "/ready", "port": 8002}},
                ),
            ],
        },
    )
    publisher = pods(
        "external-dns",
        {
            "automountServiceAccountToken": None,
            "serviceAccountName": "external-dns",
            "containers": [
                container(
                    "external-dns",
                    args=[
                        "--txt-owner-id=shop/one",
                        "--registry=txt",
                        "--policy=upsert-only",
                        "--events",
                        "--listen-endpoint-events",
                        "--min-event-sync-interval=5s",
                    ],
                )
            ],
        },
    )
    contour = "timeouts: {max-connection-duration: 5m, connection-shutdown-grace-period: 15s}\n"
    annotations = {
        "external-dns.example/hostname": "one.shop.example.com",
        "external-dns.example/ttl": "30",
    }
    ingress = {
        "securityGroupId": "sg-1",
        "ipProtocol": "tcp",
        "fromPort": 8080,
        "toPort": 8080,
        "cidrIpv4": "10.0.0.0/8",
    }
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "envoy"}}}
    scaled = {"kind": "Deployment", "name": "envoy"}
    reference = {"kind": "ServiceAccount", "name": "external-dns", "namespace": "edge"}
    service = kubernetes(
        "v1",
        "Service",
        "fleet",
        {
            "metadata": {"annotations": annotations},
            "spec": {"selector": {"app": "envoy"}, "ports": [{"name": "http", "port": 8080}]},
        },
    )
    published_by = kubernetes(
        "apps/v1", "Deployment", "external-dns", {"spec": {"replicas": 1, "template": publisher}}
    )
    contract = {"host": "api.shop.example.com", "port": 8080, "target_uri": "dns:///api:8080"}
    deployment = {"selector": {"matchLabels": {"app": "envoy"}}, "template": fleet}
    metadata_options = {"httpTokens": "required", "httpPutResponseHopLimit": 1}
    found = [
        Resource(
            urn="urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod",
            type=STACK_TYPE,
            name="shop-prod",
            outputs={"services": {"api": contract}},
            options={"component": True},
        ),
        Resource(urn=CLUSTER, type="pulumi:providers:kubernetes", name="kubernetes"),
        kubernetes("v1", "ConfigMap", "contour", {"data": {"contour.yaml": contour}}),
        kubernetes("apps/v1", "Deployment", "envoy", {"spec": deployment}),
        kubernetes(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "scaler",
            {"spec": {"minReplicas": 2, "scaleTargetRef": scaled}},
        ),
        kubernetes("policy/v1", "PodDisruptionBudget", "budget", {"spec": budget}),
        service,
        published_by,
        kubernetes("v1", "ServiceAccount", "account", {"metadata": {"name": "external-dns"}}),
        kubernetes(
            "rbac.authorization.k8s.io/v1", "RoleBinding", "binding", {"subjects": [reference]}
        ),
        kubernetes(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "callers",
            {
                "spec": {
                    "podSelector": {"matchLabels": {"app": "envoy"}},
                    "policyTypes": ["Ingress"],
                    "ingress": [{"ports": [{"port": 8080}]}],
                }
            },
        ),
        kubernetes(
            "networking.k8s.io/v1",
            "Ingress",
            "api",
            {"metadata": {"annotations": {"projectcontour.io/response-timeout": "1m"}}},
            namespace="shop",
        ),
        kubernetes("v1", "Secret", "credentials", {"data": {"password": "[secret]"}}),
        aws(
            "aws:route53/record:Record",
            "cname",
            {
                "name": "api.shop.example.com",
                "type": "CNAME",
                "records": ["one.shop.example.com"],
                "ttl": 30,
            },
            depends_on=(service.urn, published_by.urn),
        ),
        aws("aws:route53/record:Record", "soa", {"type": "SOA", "allowOverwrite": True}),
        aws(
            "aws:route53/zone:Zone",
            "zone",
            {"name": "shop.example.com", "forceDestroy": True},
            options={"protect": True},
        ),
        aws("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "callers-8080", ingress),
        aws(
            "aws:eks/cluster:Cluster",
            "cluster",
            {
                "version": "1.35",
                "deletionProtection": True,
                "accessConfig": {
                    "authenticationMode": "API",
                    "bootstrapClusterCreatorAdminPermissions": False,
                },
                "enabledClusterLogTypes": ["api", "audit", "authenticator"],
                "encryptionConfig": {"provider": {"keyArn": "arn"}, "resources": ["secrets"]},
                "vpcConfig": {
                    "endpointPublicAccess": True,
                    "publicAccessCidrs": ["203.0.113.0/24"],
                },
            },
            options={"protect": True},
        ),
        aws("aws:ec2/subnet:Subnet", "a", {"availabilityZone": "a"}, id="subnet-a"),
        aws("aws:ec2/subnet:Subnet", "b", {"availabilityZone": "b"}, id="subnet-b"),
        aws(
            "aws:eks/nodeGroup:NodeGroup",
            "nodes",
            {
                "version": "1.35",
                "capacityType": "SPOT",
                "labels": {"karpenter.sh/capacity-type": "spot"},
                "launchTemplate": {"id": "lt"},
                "subnetIds": ["subnet-a", "subnet-b"],
            },
        ),
        aws(
            "aws:ec2/launchTemplate:LaunchTemplate",
            "template",
            {
                "metadataOptions": metadata_options,
                "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": "true"}}],
            },
        ),
        aws(
            "aws:iam/role:Role",
            "role",
            {
                "assumeRolePolicy": document(
                    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
                )
            },
        ),
        aws(
            "aws:iam/rolePolicy:RolePolicy",
            "policy",
            {"policy": document(allow("s3:PutObject"), allow(["s3:ListBuckets"], "*"))},
        ),
        aws(
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "attachment",
            {"policyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"},
        ),
        aws("aws:kms/key:Key", "key", {"enableKeyRotation": True}),
    ]
    return {resource.name: resource for resource in found}


def graph_with(*edits: Edit) -> Graph:
    """The sound stack with edits."""
    resources = sound()
    for name, where, value in edits:
        fields = copy.deepcopy(vars(resources[name]))
        _set(fields, _path(where), value)
        resources[name] = Resource(**fields)
    return Graph(tuple(resources.values()))


def _set(value: Any, path: list[Any], new: Any) -> None:
    here, *below = path
    if below:
        _set(value.setdefault(here, {}) if is_mapping(value) else value[here], below, new)
    elif new is DROP:
        del value[here]
    elif is_list(value) and here == len(value):
        value.append(new)
    else:
        value[here] = new
