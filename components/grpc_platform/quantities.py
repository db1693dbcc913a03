"""Kubernetes quantities, and an EC2 instance type's resources, read from its name."""

import re
from dataclasses import dataclass

# Longer numbers are no real quantity, and some do not fit a float.
_NUMBER = "([0-9]{1,12})"
_MEMORY_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
# More than any EC2 instance has: https://docs.aws.amazon.com/ec2/latest/instancetypes/mo.html
_MOST_CORES, _MOST_BYTES = 2000, 64 * 2**40


def cpu_cores(quantity: str) -> float:
    """Cores of a CPU quantity (`2`, `500m`); ValueError for anything else."""
    match = re.fullmatch(rf"{_NUMBER}(m?)", quantity)
    if not match or int(match[1]) == 0:
        raise ValueError(f"{quantity!r} is not a CPU quantity such as 2 or 500m")
    cores = int(match[1]) / (1000 if match[2] else 1)
    if cores > _MOST_CORES:
        raise ValueError(f"{quantity!r} is more than any node has")
    return cores


def memory_bytes(quantity: str) -> int:
    """Bytes of a memory quantity (`512Mi`, `2Gi`); ValueError for anything else."""
    match = re.fullmatch(rf"{_NUMBER}(Ki|Mi|Gi)", quantity)
    if not match or int(match[1]) == 0:
        raise ValueError(f"{quantity!r} is not a memory quantity such as 512Mi or 2Gi")
    size = int(match[1]) * _MEMORY_UNITS[match[2]]
    if size > _MOST_BYTES:
        raise ValueError(f"{quantity!r} is more than any node has")
    return size


@dataclass(frozen=True)
class InstanceType:
    """The resources of one EC2 instance of a general family."""

    cores: int
    memory_gib: float
    architecture: str
    """`arm64` (Graviton) or `x86_64`."""


# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html: family, generation,
# options (g: Graviton), size. Memory per core is fixed within the c, m and r families.
_GIB_PER_CORE = {"c": 2, "m": 4, "r": 8}
_SMALL = {"medium": 1, "large": 2}
_BURSTABLE = {"medium": (2, 4), "large": (2, 8), "xlarge": (4, 16), "2xlarge": (8, 32)}


def instance_type(name: str) -> InstanceType:
    """Cores, memory and architecture of a c, m, r or t instance; ValueError for other families."""
    match = re.fullmatch(
        r"([cmrt])([0-9])([a-z]*(?:-flex)?)\.(medium|large|([2-9]|[1-9][0-9])?xlarge)", name
    )
    if not match:
        raise ValueError(f"{name!r} is not an instance type of the c, m, r or t families")
    family, _, options, size, times = match.groups()
    architecture = "arm64" if "g" in options else "x86_64"
    if family == "t":
        if size not in _BURSTABLE:
            raise ValueError(f"{name!r}: t instances come as {', '.join(_BURSTABLE)}")
        cores, memory = _BURSTABLE[size]
        return InstanceType(cores, memory, architecture)
    cores = _SMALL.get(size) or 4 * int(times or 1)
    return InstanceType(cores, cores * _GIB_PER_CORE[family], architecture)
