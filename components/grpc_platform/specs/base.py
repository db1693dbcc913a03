"""The base model of every spec, and shared value types."""

import ipaddress
import re
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from ..quantities import cpu_cores, memory_bytes
from ..timing import LONGEST_DURATION, format_duration, parse_duration

T = TypeVar("T")


class Spec(BaseModel):
    """Frozen; an unknown key is a mistake; attribute docstrings become the configuration
    reference."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def once(values: tuple[T, ...]) -> tuple[T, ...]:
    """`values`, if none of them is listed twice."""
    if twice := [str(value) for value, count in Counter(values).items() if count > 1]:
        raise ValueError(f"{', '.join(twice)} is listed twice; list it once")
    return values


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"{value!r} is not a duration such as 15s, 5m, 1h30m or 250ms")


def _sensible(value: timedelta) -> timedelta:
    # Less would be written as 0s, which Contour reads as no limit.
    if value < timedelta(milliseconds=1):
        raise ValueError("a duration must be at least a millisecond")
    if value > LONGEST_DURATION:
        raise ValueError("a duration must be at most a year")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    AfterValidator(_sensible),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(h|ms|m|s))+$"}),
]
"""A length of time written as Contour writes it: `15s`, `5m`, `1h30m`, `250ms`."""


def _cidr(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        raise ValueError(f"{value!r} is not an IPv4 block such as 10.0.0.0/16") from None
    if str(network) != value:
        raise ValueError(f"{value!r} has host bits set; the block is {network}")
    return value


Cidr = Annotated[str, AfterValidator(_cidr)]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def _label(value: str) -> str:
    if not _LABEL.fullmatch(value) or len(value) > 63:
        raise ValueError(
            f"{value!r} is not a DNS label: up to 63 of a-z, 0-9 and -, no - at either end"
        )
    return value


def _dns_name(value: str) -> str:
    labels = value.split(".")
    if len(value) > 253 or not all(_LABEL.fullmatch(i) and len(i) <= 63 for i in labels):
        raise ValueError(f"{value!r} is not a DNS name in lower case such as grpc.example.com")
    return value


Label = Annotated[str, AfterValidator(_label)]
"""A DNS label, which Kubernetes accepts as the name of any object."""

DnsName = Annotated[str, AfterValidator(_dns_name)]


def _object_name(value: str) -> str:
    try:
        return _dns_name(value)
    except ValueError:
        raise ValueError(f"{value!r} is not the name of a Kubernetes object") from None


ObjectName = Annotated[str, AfterValidator(_object_name)]

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_LABEL_PART = re.compile(r"[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?", re.ASCII)


def _label_part(text: str) -> bool:
    return len(text) <= 63 and bool(_LABEL_PART.fullmatch(text))


def _label_key(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if slash:
        _dns_name(prefix)
    if not _label_part(name):
        raise ValueError(f"{key!r} is not the key of a Kubernetes label")
    return key


def _label_value(value: str) -> str:
    if value and not _label_part(value):
        raise ValueError(f"{value!r} is not the value of a Kubernetes label")
    return value


LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, AfterValidator(_label_value)]

# https://github.com/distribution/reference/blob/main/reference.go
_IMAGE = re.compile(r"[A-Za-z0-9][\w./:-]{0,254}(:\w[\w.-]{0,127}|@sha256:[0-9a-f]{64})", re.ASCII)


def _image(value: str) -> str:
    if not _IMAGE.fullmatch(value):
        raise ValueError(f"{value!r} is not a repository with a tag or digest")
    return value


Image = Annotated[str, AfterValidator(_image)]
"""A container image. Without a tag it would mean `latest`."""

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_ROLE = re.compile(r"([!-.0-~]{1,510}/)*[\w+=,.@-]{1,64}", re.ASCII)


def _role(name: str) -> str:
    if name.startswith("arn:") or not _ROLE.fullmatch(name):
        raise ValueError(
            f"{name!r} is not the name of an IAM role, such as deployer or teams/payments; "
            "partition and account are looked up"
        )
    return name


RoleName = Annotated[str, AfterValidator(_role)]
"""An IAM role's path and name, without the ARN's leading parts."""

_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/(.+)")


def _role_arn(arn: str) -> str:
    found = _ROLE_ARN.fullmatch(arn)
    if not found or not _ROLE.fullmatch(found[1]):
        raise ValueError(
            f"{arn!r} is not the ARN of an IAM role: arn:aws:iam::<account>:role/<name>"
        )
    return arn


RoleArn = Annotated[str, AfterValidator(_role_arn)]

SecurityGroupId = Annotated[str, Field(pattern=r"^sg-[a-z0-9-]+$")]

VpcId = Annotated[str, Field(pattern=r"^vpc-[a-z0-9-]+$")]

Port = Annotated[int, Field(ge=1, le=65535)]

Count = Annotated[int, Field(ge=1, le=2**32 - 1)]
"""A limit in Envoy's configuration, where it is a uint32."""


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > 1000:
        raise ValueError(f"{value!r} is not one line of text")
    return value


Line = Annotated[str, AfterValidator(_line)]
"""Text that a program or a person reads as one line."""


def _cpu(value: Any) -> str:
    cpu_cores(str(value))
    return str(value)


def _memory(value: str) -> str:
    memory_bytes(value)
    return value


Cpu = Annotated[
    str,
    BeforeValidator(_cpu),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^\d+m?$"}, {"type": "integer"}]}),
]
"""A Kubernetes CPU quantity: `2` or `500m`."""

Memory = Annotated[str, AfterValidator(_memory)]
"""A Kubernetes memory quantity: `512Mi`, `2Gi`."""

LogRetentionDays = Annotated[
    int,
    Field(json_schema_extra={"examples": [7, 30, 90, 365]}),
    AfterValidator(lambda days: _log_retention(days)),
]

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_LOG_RETENTION = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


def _log_retention(days: int) -> int:
    if days not in _LOG_RETENTION:
        nearest = min(_LOG_RETENTION, key=lambda allowed: abs(allowed - days))
        raise ValueError(f"CloudWatch keeps logs for {nearest} days, not for {days}")
    return days
