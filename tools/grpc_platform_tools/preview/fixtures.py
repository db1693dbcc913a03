"""Stand-ins for the answers of AWS and Kubernetes: look-ups and computed outputs.

Nothing here is a real account, address or key. A preview that needs a value named neither here nor
in the program's own fixture file fails and says which, rather than printing a guess.

The dataclasses are also the form of that file; fixture_file checks the file by them. This module
needs only the Pulumi SDK and its dependencies: programs are recorded under the Python of their
revision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

from grpc_platform_tools.preview.stack_file import parse_all_yaml

FILE = "preview-fixtures.yaml"
"""Beside a program's Pulumi.yaml: see docs/preview-and-diff.md."""

ACCOUNT = "000000000000"
REGION = "eu-west-1"
"""The region in ARNs when the stack has no `aws:region`."""

Inputs = Mapping[str, Any]
_CHECKED = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """The answer of a provider function to a call with these arguments, and any others."""

    __pydantic_config__: ClassVar = _CHECKED
    function: str
    arguments: Inputs = field(default_factory=dict[str, Any])
    result: Inputs = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Computed:
    """Outputs that the provider computes for every resource of a type, or for the one with a
    name."""

    __pydantic_config__: ClassVar = _CHECKED
    type: str
    name: str | None = None
    outputs: Inputs = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Fixtures:
    """A program's own answers; the first that fits is used. `stacks` maps the name in a
    StackReference to that stack's outputs."""

    __pydantic_config__: ClassVar = _CHECKED
    stacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    lookups: tuple[LookUp, ...] = ()
    computed: tuple[Computed, ...] = ()

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Fixtures":
        """Fixtures from the mapping that `dataclasses.asdict` makes of them."""
        return cls(
            stacks=plain["stacks"],
            lookups=tuple(LookUp(**given) for given in plain["lookups"]),
            computed=tuple(Computed(**given) for given in plain["computed"]),
        )

    def made(
        self, type_token: str, name: str, inputs: Inputs, region: str | None
    ) -> tuple[str, dict[str, Any]]:
        """The id and the provider-computed outputs of a new resource in `region`."""
        identifier, outputs = _made(type_token, name, inputs, region or REGION)
        for given in self.computed:
            if given.type == type_token and given.name in (None, name):
                outputs |= given.outputs
                break
        return str(outputs.pop("id", identifier)), outputs

    def looked_up(self, function: str, arguments: Inputs, region: str | None) -> dict[str, Any]:
        """The answer to a provider function; LookupError names one that has none.

        `region` is the region of the provider that is called, None if neither it nor the stack
        names one."""
        for given in self.lookups:
            if given.function == function and given.arguments.items() <= arguments.items():
                return dict(given.result)
        if function == _GET_REGION and region is None:
            raise LookupError(
                f"{function}: the stack names no region; give aws:region in its file, or an answer "
                f"under lookups in {FILE}"
            )
        if function in _LOOK_UPS:
            return _LOOK_UPS[function](arguments, region or REGION)
        shown = ", ".join(_shown(key, value) for key, value in arguments.items())
        raise LookupError(f"{function}({shown}): no answer; give one under lookups in {FILE}")


def _shown(argument: str, value: Any) -> str:
    """An argument's name, with its value if that distinguishes one call from another. Other values
    may be long or confidential."""
    short = isinstance(value, str) and len(value) <= 40 and value.isprintable()
    return f"{argument}: {value}" if short and argument in _TELLING else argument


def _made(type_token: str, name: str, inputs: Inputs, region: str) -> tuple[str, dict[str, Any]]:
    if type_token.startswith("kubernetes:"):
        metadata: Inputs = inputs.get("metadata") or {}
        namespace = metadata.get("namespace")
        named = str(metadata.get("name") or name)
        return f"{namespace}/{named}" if namespace else named, {}
    outputs = _COMPUTED.get(type_token, _no_outputs)(name, inputs, region)
    identifier = outputs.pop("id", f"{name}-id")
    if type_token.startswith("aws:"):
        service = type_token.split(":")[1].split("/")[0]
        kind = type_token.split(":")[2]
        outputs.setdefault("arn", _arn(service, f"{kind.lower()}/{name}", region))
    return str(identifier), outputs


def _partition(region: str) -> tuple[str, str]:
    """Its name and its DNS suffix."""
    return next((p for prefix, p in _PARTITIONS.items() if region.startswith(prefix)), _COMMERCIAL)


_COMMERCIAL = ("aws", "amazonaws.com")
_PARTITIONS = {
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
    "eusc-": ("aws-eusc", "amazonaws.eu"),
}


def _arn(service: str, resource: str, region: str) -> str:
    place = "" if service in {"iam", "route53"} else region
    account = "" if service == "route53" else ACCOUNT
    return f"arn:{_partition(region)[0]}:{service}:{place}:{account}:{resource}"


def _no_outputs(_name: str, _inputs: Inputs, _region: str) -> dict[str, Any]:
    return {}


def _vpc(name: str, inputs: Inputs, _region: str) -> dict[str, Any]:
    return {
        "id": f"vpc-{name}",
        "mainRouteTableId": f"rtb-{name}-main",
        "defaultRouteTableId": f"rtb-{name}-main",
        "defaultSecurityGroupId": f"sg-{name}-default",
        "cidrBlock": inputs.get("cidrBlock"),
    }


def _eks_cluster(name: str, inputs: Inputs, region: str) -> dict[str, Any]:
    cluster = inputs.get("name") or name
    return {
        "id": cluster,
        "name": cluster,
        "arn": _arn("eks", f"cluster/{cluster}", region),
        "endpoint": f"https://{cluster}.eks.invalid",
        "certificateAuthority": {"data": "Y2VydGlmaWNhdGUtYXV0aG9yaXR5"},
        "vpcConfig": {
            **(inputs.get("vpcConfig") or {}),
            "clusterSecurityGroupId": f"sg-{cluster}-cluster",
        },
    }


def _zone(name: str, inputs: Inputs, region: str) -> dict[str, Any]:
    zone = inputs.get("name") or name
    return {
        "id": f"Z-{zone}",
        "zoneId": f"Z-{zone}",
        "arn": _arn("route53", f"hostedzone/Z-{zone}", region),
        "primaryNameServer": "ns-0.awsdns-00.com",
        "nameServers": ["ns-0.awsdns-00.com", "ns-512.awsdns-00.net"],
    }


def _role(name: str, inputs: Inputs, region: str) -> dict[str, Any]:
    role = inputs.get("name") or name
    return {"id": role, "name": role, "arn": _arn("iam", f"role/{role}", region)}


def _launch_template(name: str, inputs: Inputs, _region: str) -> dict[str, Any]:
    # Named after its name in AWS, if given: a resource with another URN and an alias keeps its id.
    given = (inputs.get("namePrefix") or name).rstrip("-")
    return {"id": f"lt-{given}", "latestVersion": 1, "defaultVersion": 1}


def _log_group(name: str, inputs: Inputs, region: str) -> dict[str, Any]:
    group = inputs.get("name") or name
    return {"id": group, "name": group, "arn": _arn("logs", f"log-group:{group}", region)}


def _record(name: str, inputs: Inputs, _region: str) -> dict[str, Any]:
    return {"fqdn": inputs.get("name") or name}


_COMPUTED: dict[str, Callable[[str, Inputs, str], dict[str, Any]]] = {
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:ec2/vpc:Vpc": _vpc,
    "aws:ec2/eip:Eip": lambda name, _inputs, _region: {"allocationId": f"eipalloc-{name}"},
    "aws:ec2/launchTemplate:LaunchTemplate": _launch_template,
    "aws:ec2/securityGroup:SecurityGroup": lambda name, _inputs, _region: {"id": f"sg-{name}"},
    "aws:ec2/subnet:Subnet": lambda name, _inputs, _region: {"id": f"subnet-{name}"},
    "aws:eks/cluster:Cluster": _eks_cluster,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": lambda name, _inputs, _region: {
        "associationId": f"a-{name}"
    },
    "aws:iam/role:Role": _role,
    "aws:kms/key:Key": lambda name, _, region: {
        "keyId": f"key-{name}",
        "arn": _arn("kms", f"key/{name}", region),
    },
    "aws:route53/record:Record": _record,
    "aws:route53/zone:Zone": _zone,
}

_TELLING = ("id", "name", "state", "vpcId", "zoneId")


def _decoded(arguments: Inputs, _region: str) -> dict[str, Any]:
    """What the classes ConfigFile and ConfigGroup ask of the Kubernetes provider."""
    try:
        documents = parse_all_yaml(arguments["text"])
    except (yaml.YAMLError, ValueError):
        documents = None
    if documents is None or not all(isinstance(document, dict) for document in documents):
        raise LookupError("kubernetes:yaml:decode: the text is not YAML of Kubernetes objects")
    return {"result": documents}


_GET_REGION = "aws:index/getRegion:getRegion"
_LOOK_UPS: dict[str, Callable[[Inputs, str], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": lambda _, region: {
        "accountId": ACCOUNT,
        "arn": _arn("iam", "role/preview", region),
        "id": ACCOUNT,
        "userId": "preview",
    },
    "aws:index/getPartition:getPartition": lambda _, region: {
        "partition": _partition(region)[0],
        "dnsSuffix": _partition(region)[1],
        "id": _partition(region)[0],
        "reverseDnsPrefix": ".".join(reversed(_partition(region)[1].split("."))),
    },
    _GET_REGION: lambda _, region: {
        "region": region,
        "id": region,
        "description": "preview",
        "endpoint": f"ec2.{region}.{_partition(region)[1]}",
    },
    "aws:ec2/getSubnet:getSubnet": lambda arguments, _: {
        "id": arguments.get("id") or "subnet-existing",
        "cidrBlock": "10.0.0.0/19",
        "vpcId": arguments.get("vpcId") or "vpc-existing",
    },
    "aws:ec2/getVpc:getVpc": lambda arguments, _: {
        "id": arguments.get("id") or "vpc-existing",
        "cidrBlock": "10.0.0.0/16",
    },
    "kubernetes:yaml:decode": _decoded,
    "aws:route53/getZone:getZone": lambda arguments, region: {
        "zoneId": arguments.get("zoneId") or "Z-existing",
        "name": arguments.get("name") or "existing.invalid",
        "arn": _arn("route53", f"hostedzone/{arguments.get('zoneId') or 'Z-existing'}", region),
        "primaryNameServer": "ns-0.awsdns-00.com",
    },
}
