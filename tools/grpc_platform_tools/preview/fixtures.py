"""What AWS and Kubernetes would have answered: named stand-ins for look-ups and computed outputs.

Nothing here is a real account, address or key. A preview that needs a value named neither here nor
in the program's own fixture file fails and says which, rather than printing a guess.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from grpc_platform_tools.preview.stack_file import parse_all_yaml

FILE = "preview-fixtures.yaml"
"""Beside a program's Pulumi.yaml: see docs/preview-and-diff.md."""

ACCOUNT = "000000000000"
REGION = "eu-west-1"

Inputs = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """The answer of a provider function to a call that has these arguments, whatever others."""

    function: str
    arguments: Inputs = field(default_factory=dict[str, Any])
    result: Inputs


@dataclass(frozen=True, kw_only=True)
class Computed:
    """What the provider computes for the resources of a type, or for the one of a name."""

    type: str
    name: str | None = None
    outputs: Inputs


@dataclass(frozen=True, kw_only=True)
class Fixtures:
    """A program's own answers; of several that fit, the first. `stacks` maps what a StackReference
    names to that stack's outputs."""

    stacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    lookups: tuple[LookUp, ...] = ()
    computed: tuple[Computed, ...] = ()

    def made(self, type_token: str, name: str, inputs: Inputs) -> tuple[str, dict[str, Any]]:
        """The id and the provider-computed outputs of a new resource."""
        identifier, outputs = _made(type_token, name, inputs)
        for given in self.computed:
            if given.type == type_token and given.name in (None, name):
                outputs |= given.outputs
                break
        return str(outputs.pop("id", identifier)), outputs

    def looked_up(self, function: str, arguments: Inputs) -> dict[str, Any]:
        """The answer to a provider function; LookupError names one that has none."""
        for given in self.lookups:
            if given.function == function and given.arguments.items() <= arguments.items():
                return dict(given.result)
        if function in _LOOK_UPS:
            return _LOOK_UPS[function](arguments)
        shown = ", ".join(_shown(key, value) for key, value in arguments.items())
        raise LookupError(f"{function}({shown}): no answer; give one under lookups in {FILE}")


def _shown(argument: str, value: Any) -> str:
    """Which argument, and its value where that tells one call from another; others may be long or
    nobody's to see."""
    short = isinstance(value, str) and len(value) <= 40 and value.isprintable()
    return f"{argument}: {value}" if short and argument in _TELLING else argument


def _made(type_token: str, name: str, inputs: Inputs) -> tuple[str, dict[str, Any]]:
    if type_token.startswith("kubernetes:"):
        metadata: Inputs = inputs.get("metadata") or {}
        namespace = metadata.get("namespace")
        named = str(metadata.get("name") or name)
        return f"{namespace}/{named}" if namespace else named, {}
    outputs = _COMPUTED.get(type_token, _no_outputs)(name, inputs)
    identifier = outputs.pop("id", f"{name}-id")
    if type_token.startswith("aws:"):
        service = type_token.split(":")[1].split("/")[0]
        kind = type_token.split(":")[2]
        outputs.setdefault("arn", _arn(service, f"{kind.lower()}/{name}"))
    return str(identifier), outputs


def _arn(service: str, resource: str) -> str:
    region = "" if service in {"iam", "route53"} else REGION
    account = "" if service == "route53" else ACCOUNT
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def _no_outputs(_name: str, _inputs: Inputs) -> dict[str, Any]:
    return {}


def _vpc(name: str, inputs: Inputs) -> dict[str, Any]:
    return {
        "id": f"vpc-{name}",
        "mainRouteTableId": f"rtb-{name}-main",
        "defaultRouteTableId": f"rtb-{name}-main",
        "defaultSecurityGroupId": f"sg-{name}-default",
        "cidrBlock": inputs.get("cidrBlock"),
    }


def _eks_cluster(name: str, inputs: Inputs) -> dict[str, Any]:
    cluster = inputs.get("name") or name
    return {
        "id": cluster,
        "name": cluster,
        "arn": _arn("eks", f"cluster/{cluster}"),
        "endpoint": f"https://{cluster}.eks.invalid",
        "certificateAuthority": {"data": "Y2VydGlmaWNhdGUtYXV0aG9yaXR5"},
        "vpcConfig": {
            **(inputs.get("vpcConfig") or {}),
            "clusterSecurityGroupId": f"sg-{cluster}-cluster",
        },
    }


def _zone(name: str, inputs: Inputs) -> dict[str, Any]:
    zone = inputs.get("name") or name
    return {
        "id": f"Z-{zone}",
        "zoneId": f"Z-{zone}",
        "arn": _arn("route53", f"hostedzone/Z-{zone}"),
        "primaryNameServer": "ns-0.awsdns-00.com",
        "nameServers": ["ns-0.awsdns-00.com", "ns-512.awsdns-00.net"],
    }


def _role(name: str, inputs: Inputs) -> dict[str, Any]:
    role = inputs.get("name") or name
    return {"id": role, "name": role, "arn": _arn("iam", f"role/{role}")}


def _launch_template(name: str, inputs: Inputs) -> dict[str, Any]:
    # After its name in AWS where that is given: one with another URN and an alias stays the same.
    given = (inputs.get("namePrefix") or name).rstrip("-")
    return {"id": f"lt-{given}", "latestVersion": 1, "defaultVersion": 1}


def _log_group(name: str, inputs: Inputs) -> dict[str, Any]:
    group = inputs.get("name") or name
    return {"id": group, "name": group, "arn": _arn("logs", f"log-group:{group}")}


def _record(name: str, inputs: Inputs) -> dict[str, Any]:
    return {"fqdn": inputs.get("name") or name}


_COMPUTED: dict[str, Callable[[str, Inputs], dict[str, Any]]] = {
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:ec2/vpc:Vpc": _vpc,
    "aws:ec2/eip:Eip": lambda name, _: {"allocationId": f"eipalloc-{name}"},
    "aws:ec2/launchTemplate:LaunchTemplate": _launch_template,
    "aws:ec2/securityGroup:SecurityGroup": lambda name, _: {"id": f"sg-{name}"},
    "aws:ec2/subnet:Subnet": lambda name, _: {"id": f"subnet-{name}"},
    "aws:eks/cluster:Cluster": _eks_cluster,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": lambda name, _: {
        "associationId": f"a-{name}"
    },
    "aws:iam/role:Role": _role,
    "aws:kms/key:Key": lambda name, _: {"keyId": f"key-{name}", "arn": _arn("kms", f"key/{name}")},
    "aws:route53/record:Record": _record,
    "aws:route53/zone:Zone": _zone,
}

_TELLING = ("id", "name", "state", "vpcId", "zoneId")


def _decoded(arguments: Inputs) -> dict[str, Any]:
    """What the classes ConfigFile and ConfigGroup ask of the Kubernetes provider."""
    try:
        documents = parse_all_yaml(arguments["text"])
    except (yaml.YAMLError, ValueError):
        documents = None
    if documents is None or not all(isinstance(document, dict) for document in documents):
        raise LookupError("kubernetes:yaml:decode: the text is not YAML of Kubernetes objects")
    return {"result": documents}


_LOOK_UPS: dict[str, Callable[[Inputs], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": lambda _: {
        "accountId": ACCOUNT,
        "arn": _arn("iam", "role/preview"),
        "id": ACCOUNT,
        "userId": "preview",
    },
    "aws:index/getPartition:getPartition": lambda _: {
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "id": "aws",
        "reverseDnsPrefix": "com.amazonaws",
    },
    "aws:index/getRegion:getRegion": lambda _: {
        "region": REGION,
        "id": REGION,
        "description": "preview",
        "endpoint": f"ec2.{REGION}.amazonaws.com",
    },
    "aws:ec2/getSubnet:getSubnet": lambda arguments: {
        "id": arguments.get("id") or "subnet-existing",
        "cidrBlock": "10.0.0.0/19",
        "vpcId": arguments.get("vpcId") or "vpc-existing",
    },
    "aws:ec2/getVpc:getVpc": lambda arguments: {
        "id": arguments.get("id") or "vpc-existing",
        "cidrBlock": "10.0.0.0/16",
    },
    "kubernetes:yaml:decode": _decoded,
    "aws:route53/getZone:getZone": lambda arguments: {
        "zoneId": arguments.get("zoneId") or "Z-existing",
        "name": arguments.get("name") or "existing.invalid",
        "arn": _arn("route53", f"hostedzone/{arguments.get('zoneId') or 'Z-existing'}"),
        "primaryNameServer": "ns-0.awsdns-00.com",
    },
}
