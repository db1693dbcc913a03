"""Which changes of a resource's inputs make its provider replace the resource, not update it.

Where the rules come from: replacement_aws.py, type by type, and replacement_kubernetes.py.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from grpc_platform_tools.diff.replacement_aws import AWS, Change, Replaced
from grpc_platform_tools.diff.replacement_kubernetes import (
    CLUSTER_KEYS,
    forces,
    forces_within,
    replaces_provider,
)

Segment = str | int
_KUBERNETES = "kubernetes:"
_KUBERNETES_PROVIDER = "pulumi:providers:kubernetes"
# pulumi-aws 7 replaces nothing when its provider changes (github.com/pulumi/pulumi-aws/pull/5656):
# another region changes the `region` of each resource, and that replaces it.
_AWS_PROVIDER = "pulumi:providers:aws"
# Two values of a property that are known only to differ somewhere inside.
_ANY_TWO = ("one", "another")
_UNKNOWN = "[unknown]"

PROTECTED_TYPES = {
    **dict.fromkeys(
        (
            "aws:cloudwatch/logGroup:LogGroup",
            "aws:dynamodb/table:Table",
            "aws:ecr/repository:Repository",
            "aws:efs/fileSystem:FileSystem",
            "aws:elasticache/replicationGroup:ReplicationGroup",
            "aws:rds/cluster:Cluster",
            "aws:rds/instance:Instance",
            "aws:s3/bucket:Bucket",
            "aws:s3/bucketV2:BucketV2",
            "aws:secretsmanager/secret:Secret",
            "aws:sqs/queue:Queue",
            "kubernetes:apps/v1:StatefulSet",
            "kubernetes:core/v1:PersistentVolume",
            "kubernetes:core/v1:PersistentVolumeClaim",
        ),
        "its data",
    ),
    "aws:kms/key:Key": "what it encrypted",
    **dict.fromkeys(
        (
            "aws:ec2/subnet:Subnet",
            "aws:ec2/vpc:Vpc",
            "aws:eks/cluster:Cluster",
            "kubernetes:core/v1:Namespace",
            "kubernetes:helm.sh/v3:Release",
        ),
        "everything in it",
    ),
    "aws:route53/zone:Zone": "its records, and the name servers that others delegate to",
    "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition": "every object of its kind",
    "pulumi:providers:kubernetes": "everything that it made in its cluster",
    **dict.fromkeys(
        (
            "aws:ec2/eip:Eip",
            "aws:ec2/natGateway:NatGateway",
            "aws:ec2/vpcEndpoint:VpcEndpoint",
        ),
        "addresses that others know",
    ),
    "aws:eks/nodeGroup:NodeGroup": "the pods that run on it",
}
"""What is lost with a resource of a type beyond the resource itself."""


def known(type_token: str) -> bool:
    """Whether there are rules for what replaces a resource of this type.

    There are for every Kubernetes kind, custom ones too: one rule of the provider covers them all.
    """
    return (
        type_token in AWS
        or type_token.startswith(_KUBERNETES)
        or type_token in (_KUBERNETES_PROVIDER, _AWS_PROVIDER)
    )


def forces_replacement(
    type_token: str,
    path: tuple[Segment, ...],
    old: Any,
    new: Any,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    provider: Mapping[str, Any] | None = None,
) -> bool:
    """Whether a changed input makes the provider replace the resource.

    `path` leads into its inputs; `old` and `new` are the values there, None where there is none.
    Some rules need more: the whole inputs on both sides, `before` and `after`, and the inputs of
    the provider (of an explicit one, or its config). Without them, any change within a property
    that replaces counts as a replacement. False also for a type that is not `known`.
    """
    before, after, provider = before or {}, after or {}, provider or {}
    if type_token == _KUBERNETES_PROVIDER:
        return replaces_provider(path, old, new, before, after)
    if type_token.startswith(_KUBERNETES):
        kind = type_token.removeprefix(_KUBERNETES)
        return forces(kind, path, old, new, after, provider)
    rule = AWS.get(type_token)
    if rule is None:
        return False
    if path == ("region",) and rule.regional:
        own = provider.get("region")
        return (old or own) != (new or own)
    return any(
        _judged(rule, name, values, before, after)
        for name in _listed(rule)
        if (values := _values(tuple(name.split(".")), path, old, new, before, after))
    )


def replaced_if_unknown(
    type_token: str, key: str, inputs: Mapping[str, Any], provider: Mapping[str, Any]
) -> bool:
    """Whether the provider would replace the resource if all of its input `key` were unknown. The
    engine asks this to find what to delete along with a recreated resource."""
    if type_token == _KUBERNETES_PROVIDER:
        return key in CLUSTER_KEYS and not inputs.get("clusterIdentifier")
    if type_token.startswith(_KUBERNETES):
        return forces_within(type_token.removeprefix(_KUBERNETES), key, inputs, provider)
    rule = AWS.get(type_token)
    return rule is not None and any(
        _judged(rule, name, (_within(inputs, tuple(name.split("."))), _UNKNOWN), inputs, inputs)
        for name in _listed(rule)
        if name.split(".")[0] == key
    )


def _listed(rule: Replaced) -> tuple[str, ...]:
    return (*rule.always, *rule.kept, *rule.sets, *rule.defaults, *rule.when)


def _values(
    listed: tuple[str, ...],
    path: tuple[Segment, ...],
    old: Any,
    new: Any,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> tuple[Any, Any] | None:
    """The listed property on both sides, when the change is at, within or around it."""
    shared = min(len(listed), len(path))
    if listed[:shared] != path[:shared]:
        return None
    if len(path) <= len(listed):
        return _within(old, listed[shared:]), _within(new, listed[shared:])
    if before and after:
        return _within(before, listed), _within(after, listed)
    return _ANY_TWO


def _within(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return value


def _judged(
    rule: Replaced,
    name: str,
    values: tuple[Any, Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> bool:
    default = rule.defaults.get(name)
    old, new = (default if value in (None, "", [], {}) else value for value in values)
    if name in rule.sets:
        old, new = _unordered(old), _unordered(new)
    if old == new or (name in rule.kept and new is None):
        return False
    asked = rule.when.get(name)
    return asked is None or asked(Change(old=old, new=new, before=before, after=after))


def _unordered(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return sorted(json.dumps(element, sort_keys=True) for element in cast("list[Any]", value))
